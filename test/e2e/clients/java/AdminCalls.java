/** Every call of the Java client's Admin interface, made as several principals: what came out of each, as one JSON object a line. */

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

public class AdminCalls {
    interface Call {
        Object make(Admin admin, Names names) throws Exception;
    }

    /** What one side's calls are about: nobody else's. */
    record Names(String topic, String more, String group, String id, String user) {
        static Names of(String stem) {
            return new Names(stem + ".topic", stem + ".more", stem + "-group", stem + "-id", stem + "-user");
        }

        TopicPartition first() {
            return new TopicPartition(topic, 0);
        }

        ConfigResource config() {
            return new ConfigResource(ConfigResource.Type.TOPIC, topic);
        }

        /** A result as every side has it. */
        String masked(Object result) {
            return String.valueOf(result).replace(topic, "TOPIC").replace(more, "MORE").replace(group, "GROUP").replace(id, "ID").replace(user, "USER");
        }
    }

    /** What the interface declares and a cluster never hears of. */
    static final Set<String> LOCAL = Set.of("close", "metrics", "registerMetricForSubscription", "unregisterMetricFromSubscription");
    /** In this order: what a call needs was made by one before it, if it was allowed. */
    static final Map<String, Call> CALLS = new LinkedHashMap<>();

    static {
        topics();
        configs();
        consumerGroups();
        shareAndStreamsGroups();
        transactions();
        cluster();
        credentials();
        ends();
    }

    static void topics() {
        CALLS.put("createTopics", (admin, names) -> {
            var made = admin.createTopics(List.of(new NewTopic(names.topic, 1, (short) 1), new NewTopic(names.more, 1, (short) 1)));
            made.all().get();
            return made.numPartitions(names.topic).get();
        });
        CALLS.put("createPartitions", (admin, names) -> admin.createPartitions(Map.of(names.topic, NewPartitions.increaseTo(2))).all().get());
        CALLS.put("listTopics", (admin, names) -> settled("[MORE, TOPIC]", names, () -> own(names, admin.listTopics().names().get())));
        CALLS.put("describeTopics", (admin, names) -> settled("2 partitions", names, () -> {
            var described = admin.describeTopics(List.of(names.topic)).allTopicNames().get();
            return described.get(names.topic).partitions().size() + " partitions";
        }));
        CALLS.put("listOffsets", (admin, names) -> admin.listOffsets(Map.of(names.first(), OffsetSpec.latest())).all().get().get(names.first()).offset());
        CALLS.put("deleteRecords", (admin, names) -> admin.deleteRecords(Map.of(names.first(), RecordsToDelete.beforeOffset(0))).lowWatermarks().get(names.first()).get().lowWatermark());
        CALLS.put("describeProducers", (admin, names) -> admin.describeProducers(List.of(names.first())).all().get().get(names.first()).activeProducers());
        CALLS.put("electLeaders", (admin, names) -> admin.electLeaders(ElectionType.PREFERRED, Set.of(names.first())).all().get());
        CALLS.put("alterPartitionReassignments", (admin, names) -> {
            var only = Optional.of(new NewPartitionReassignment(List.of(1)));
            return admin.alterPartitionReassignments(Map.of(names.first(), only)).all().get();
        });
        CALLS.put("listPartitionReassignments", (admin, names) -> admin.listPartitionReassignments(Set.of(new TopicPartition(names.more, 0))).reassignments().get());
    }

    static void configs() {
        CALLS.put("describeConfigs", (admin, names) -> admin.describeConfigs(List.of(names.config())).all().get().get(names.config()).get("retention.ms").value());
        CALLS.put("incrementalAlterConfigs", (admin, names) -> {
            var set = new AlterConfigOp(new ConfigEntry("retention.ms", "123456"), AlterConfigOp.OpType.SET);
            return admin.incrementalAlterConfigs(Map.of(names.config(), List.of(set))).all().get();
        });
        CALLS.put("listConfigResources", (admin, names) -> {
            return settled("[MORE, TOPIC]", names, () -> {
                var listed = admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all().get();
                return own(names, listed.stream().map(ConfigResource::name).toList());
            });
        });
        CALLS.put("listClientMetricsResources", (admin, names) -> admin.listClientMetricsResources().all().get().size());
    }

    static void consumerGroups() {
        CALLS.put("alterConsumerGroupOffsets", (admin, names) -> admin.alterConsumerGroupOffsets(names.group, Map.of(names.first(), new OffsetAndMetadata(0))).all().get());
        CALLS.put("listConsumerGroupOffsets", (admin, names) -> admin.listConsumerGroupOffsets(names.group).partitionsToOffsetAndMetadata().get().size());
        CALLS.put("listGroups", (admin, names) -> own(names, admin.listGroups().all().get().stream().map(GroupListing::groupId).toList()));
        CALLS.put("listConsumerGroups", (admin, names) -> own(names, admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId).toList()));
        CALLS.put("describeConsumerGroups", (admin, names) -> admin.describeConsumerGroups(List.of(names.group)).all().get().get(names.group).groupState());
        CALLS.put("describeClassicGroups", (admin, names) -> admin.describeClassicGroups(List.of(names.group)).all().get().get(names.group).state());
        CALLS.put("removeMembersFromConsumerGroup", (admin, names) -> {
            var member = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("nobody")));
            return admin.removeMembersFromConsumerGroup(names.group, member).all().get();
        });
        CALLS.put("deleteConsumerGroupOffsets", (admin, names) -> admin.deleteConsumerGroupOffsets(names.group, Set.of(names.first())).all().get());
        CALLS.put("deleteConsumerGroups", (admin, names) -> admin.deleteConsumerGroups(List.of(names.group)).all().get());
    }

    static void shareAndStreamsGroups() {
        CALLS.put("alterShareGroupOffsets", (admin, names) -> admin.alterShareGroupOffsets(names.group + "-share", Map.of(names.first(), 0L)).all().get());
        CALLS.put("describeShareGroups", (admin, names) -> admin.describeShareGroups(List.of(names.group + "-share")).all().get().get(names.group + "-share").groupState());
        CALLS.put("listShareGroupOffsets", (admin, names) -> admin.listShareGroupOffsets(Map.of(names.group + "-share", new ListShareGroupOffsetsSpec())).all().get().size());
        CALLS.put("deleteShareGroupOffsets", (admin, names) -> admin.deleteShareGroupOffsets(names.group + "-share", Set.of(names.topic)).all().get());
        CALLS.put("deleteShareGroups", (admin, names) -> admin.deleteShareGroups(List.of(names.group + "-share")).all().get());
        CALLS.put("alterStreamsGroupOffsets", (admin, names) -> admin.alterStreamsGroupOffsets(names.group + "-streams", Map.of(names.first(), new OffsetAndMetadata(0))).all().get());
        CALLS.put("describeStreamsGroups", (admin, names) -> admin.describeStreamsGroups(List.of(names.group + "-streams")).all().get().size());
        CALLS.put("listStreamsGroupOffsets", (admin, names) -> admin.listStreamsGroupOffsets(Map.of(names.group + "-streams", new ListStreamsGroupOffsetsSpec())).all().get().size());
        CALLS.put("deleteStreamsGroupOffsets", (admin, names) -> admin.deleteStreamsGroupOffsets(names.group + "-streams", Set.of(names.first())).all().get());
        CALLS.put("deleteStreamsGroups", (admin, names) -> admin.deleteStreamsGroups(List.of(names.group + "-streams")).all().get());
    }

    static void transactions() {
        CALLS.put("fenceProducers", (admin, names) -> admin.fenceProducers(List.of(names.id)).all().get());
        CALLS.put("describeTransactions", (admin, names) -> admin.describeTransactions(List.of(names.id)).all().get().get(names.id).state());
        CALLS.put("listTransactions", (admin, names) -> own(names, admin.listTransactions().all().get().stream().map(TransactionListing::transactionalId).toList()));
        CALLS.put("forceTerminateTransaction", (admin, names) -> admin.forceTerminateTransaction(names.id).result().get());
        CALLS.put("abortTransaction", (admin, names) -> admin.abortTransaction(new AbortTransactionSpec(names.first(), 1, (short) 0, 0)).all().get());
    }

    static void cluster() {
        CALLS.put("describeCluster", (admin, names) -> {
            var described = admin.describeCluster();
            return described.nodes().get().size() > 0 && described.controller().get() != null;
        });
        CALLS.put("describeFeatures", (admin, names) -> new TreeSet<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures().keySet()));
        CALLS.put("updateFeatures", (admin, names) -> {
            var same = new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE);
            return admin.updateFeatures(Map.of("group.version", same), new UpdateFeaturesOptions().validateOnly(true)).all().get();
        });
        CALLS.put("describeMetadataQuorum", (admin, names) -> admin.describeMetadataQuorum().quorumInfo().get().voters().size() > 0);
        CALLS.put("unregisterBroker", (admin, names) -> admin.unregisterBroker(99).all().get());
        CALLS.put("addRaftVoter", (admin, names) -> admin.addRaftVoter(99, Uuid.ONE_UUID, Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 9))).all().get());
        CALLS.put("removeRaftVoter", (admin, names) -> admin.removeRaftVoter(99, Uuid.ONE_UUID).all().get());
        CALLS.put("describeLogDirs", (admin, names) -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).size());
        CALLS.put("describeReplicaLogDirs", (admin, names) -> {
            var replica = new TopicPartitionReplica(names.topic, 0, 1);
            return settled("true", names, () -> admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir() != null);
        });
        CALLS.put("alterReplicaLogDirs", (admin, names) -> admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica(names.topic, 0, 1), "/nowhere")).all().get());
        CALLS.put("alterClientQuotas", (admin, names) -> {
            var entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, names.user));
            return admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))))).all().get();
        });
        CALLS.put("describeClientQuotas", (admin, names) -> {
            var only = ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.CLIENT_ID, names.user);
            return settled("[{producer_byte_rate=1.0E9}]", names, () -> admin.describeClientQuotas(ClientQuotaFilter.contains(List.of(only))).entities().get().values());
        });
        CALLS.put("clientInstanceId", (admin, names) -> admin.clientInstanceId(Duration.ofSeconds(5)) != null);
    }

    static void credentials() {
        var acl = new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, "nobody's", PatternType.LITERAL),
            new AccessControlEntry("User:nobody", "*", AclOperation.READ, AclPermissionType.ALLOW));
        CALLS.put("createAcls", (admin, names) -> admin.createAcls(List.of(acl)).all().get());
        CALLS.put("describeAcls", (admin, names) -> admin.describeAcls(AclBindingFilter.ANY).values().get().size() >= 0);
        CALLS.put("deleteAcls", (admin, names) -> admin.deleteAcls(List.of(acl.toFilter())).all().get().size() >= 0);
        CALLS.put("createDelegationToken", (admin, names) -> admin.createDelegationToken().delegationToken().get() != null);
        CALLS.put("renewDelegationToken", (admin, names) -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp().get());
        CALLS.put("expireDelegationToken", (admin, names) -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp().get());
        CALLS.put("describeDelegationToken", (admin, names) -> admin.describeDelegationToken().delegationTokens().get().size());
        CALLS.put("alterUserScramCredentials", (admin, names) -> {
            var made = new UserScramCredentialUpsertion(names.user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret");
            return admin.alterUserScramCredentials(List.of(made)).all().get();
        });
        CALLS.put("describeUserScramCredentials", (admin, names) -> admin.describeUserScramCredentials(List.of("nobody")).all().get().size());
    }

    static void ends() {
        CALLS.put("deleteTopics", (admin, names) -> admin.deleteTopics(TopicCollection.ofTopicNames(List.of(names.topic, names.more))).all().get());
    }

    /** What a call gives once all brokers know what was done before, or after a while what it gives then. */
    static Object settled(String expected, Names names, Made made) throws Exception {
        for (int tries = 0; ; tries++) {
            Object result = made.get();
            if (tries == 60 || names.masked(result).equals(expected)) return result;
            Thread.sleep(50);
        }
    }

    static Object own(Names names, Iterable<String> all) {
        var mine = new TreeSet<String>();
        var known = Set.of(names.topic, names.more, names.group, names.id);
        for (var each : all) if (known.contains(each)) mine.add(each);
        return mine;
    }

    /** Sides as arguments: JSON objects with `side`, `stem`, `bootstrap` and `login`. The first lines name what no call is written for. */
    public static void main(String[] sides) throws Exception {
        var out = System.out;
        System.setOut(System.err);
        var missing = new TreeSet<String>();
        for (var method : Admin.class.getMethods()) {
            if (!Modifier.isStatic(method.getModifiers()) && !LOCAL.contains(method.getName())) missing.add(method.getName());
        }
        missing.removeAll(CALLS.keySet());
        out.println(Driver.JSON.createObjectNode().put("missing", String.join(" ", missing)));
        List<Thread> threads = new ArrayList<>();
        for (var text : sides) {
            var side = Driver.JSON.readTree(text);
            threads.add(new Thread(() -> all(side, line -> {
                synchronized (out) {
                    out.println(line);
                }
            })));
        }
        for (var each : threads) each.start();
        for (var each : threads) each.join();
        out.flush();
        System.exit(0);
    }

    static void all(JsonNode side, Consumer<ObjectNode> tell) {
        var client = new Driver.Client(side.get("bootstrap").asText(), side.get("login"), null);
        var names = Names.of(side.get("stem").asText());
        Map<String, Object> times = Map.of("default.api.timeout.ms", 15000, "request.timeout.ms", 10000, "enable.metrics.push", "true");
        try (var admin = Admin.create(client.with(times))) {
            CALLS.forEach((method, call) -> {
                var line = Driver.JSON.createObjectNode().put("side", side.get("side").asText()).put("method", method);
                tell.accept(outcome(line, () -> call.make(admin, names), names));
            });
        }
    }

    interface Made {
        Object get() throws Exception;
    }

    static ObjectNode outcome(ObjectNode line, Made made, Names names) {
        try {
            return line.put("outcome", "ok").put("detail", names.masked(made.get()));
        } catch (Throwable thrown) {
            var cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
            return line.put("outcome", cause.getClass().getSimpleName()).put("detail", names.masked(cause.getMessage()));
        }
    }
}
