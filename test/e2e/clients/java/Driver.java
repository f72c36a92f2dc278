/** The Java client under test: the requests of clients/PROTOCOL.md, done as a user of kafka-clients would. */

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Driver {
    static final ObjectMapper JSON = new ObjectMapper();
    static final PrintStream OUT = System.out;
    static final Map<String, Client> CLIENTS = new ConcurrentHashMap<>();
    static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err);
        var threads = Executors.newCachedThreadPool();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            JsonNode request = JSON.readTree(line);
            threads.execute(() -> answer(request));
        }
        System.exit(0);
    }

    static void answer(JsonNode request) {
        ObjectNode answer = JSON.createObjectNode().put("id", request.get("id").asInt());
        try {
            answer.set("ok", JSON.valueToTree(perform(request)));
        } catch (Throwable thrown) {
            answer.set("error", described(thrown));
        }
        tell(answer);
    }

    static Object perform(JsonNode request) throws Exception {
        String client = request.path("client").asText();
        String topic = request.path("topic").asText();
        switch (request.get("do").asText()) {
            case "open" -> CLIENTS.put(client, new Client(request.get("bootstrap").asText(), request.get("login"), request.get("tls")));
            case "produce" -> {
                return produce(CLIENTS.get(client).producer(), topic, request.get("messages"));
            }
            case "subscribe" -> {
                boolean shares = request.path("protocol").asText().equals("share");
                Member member = shares ? new Share(request, CLIENTS.get(client)) : new Subscription(request, CLIENTS.get(client));
                MEMBERS.put(member.name, member);
                member.start();
            }
            case "unsubscribe" -> MEMBERS.remove(request.get("consumer").asText()).end();
            case "transfer" -> {
                return transfer(CLIENTS.get(client), request);
            }
            case "topics" -> {
                return new TreeSet<>(CLIENTS.get(client).admin().listTopics().names().get());
            }
            case "describe" -> {
                var described = CLIENTS.get(client).admin().describeTopics(Set.of(topic)).topicNameValues().get(topic).get();
                return described.partitions().stream().map(each -> Map.of("partition", each.partition(), "leader", each.leader().id())).toList();
            }
            case "create" -> {
                var made = new NewTopic(topic, request.get("partitions").asInt(), (short) request.get("replicas").asInt());
                CLIENTS.get(client).admin().createTopics(Set.of(made)).all().get();
            }
            case "delete" -> CLIENTS.get(client).admin().deleteTopics(Set.of(topic)).all().get();
            case "nodes" -> {
                var nodes = CLIENTS.get(client).admin().describeCluster().nodes().get();
                return nodes.stream().map(each -> Map.of("id", each.id(), "host", each.host(), "port", each.port())).toList();
            }
            case "groups" -> {
                var groups = CLIENTS.get(client).admin().listGroups().all().get();
                return groups.stream().map(each -> each.groupId()).sorted().toList();
            }
            case "groupType" -> {
                var groups = CLIENTS.get(client).admin().listGroups().all().get().stream();
                var group = groups.filter(each -> each.groupId().equals(request.get("group").asText())).findFirst().orElseThrow();
                return group.type().orElseThrow().toString().toLowerCase();
            }
            case "close" -> CLIENTS.remove(client).close();
            default -> throw new IllegalArgumentException("unknown request " + request);
        }
        return null;
    }

    /** Reads, writes and commits its offsets in one transaction, or aborts it. */
    static Object transfer(Client client, JsonNode request) throws Exception {
        Map<String, Object> reading = Map.of(
            "group.id", request.get("group").asText(),
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false",
            "isolation.level", "read_committed");
        Map<String, Object> writing = Map.of(
            "transactional.id", request.get("transactionalId").asText(),
            "max.block.ms", 15000,
            "delivery.timeout.ms", 20000,
            "request.timeout.ms", 10000);
        List<String> values = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(client.with(reading), new StringDeserializer(), new StringDeserializer());
             var producer = new KafkaProducer<>(client.with(writing), new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            consumer.subscribe(Set.of(request.get("from").asText()));
            producer.beginTransaction();
            Map<TopicPartition, OffsetAndMetadata> offsets = new ConcurrentHashMap<>();
            for (long ends = System.currentTimeMillis() + 20000; values.size() < request.get("count").asInt(); ) {
                if (System.currentTimeMillis() > ends) throw new java.util.concurrent.TimeoutException("read " + values.size());
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    values.add(record.value());
                    producer.send(new ProducerRecord<>(request.get("to").asText(), record.key(), record.value()));
                    offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
            }
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            if (request.path("abort").asBoolean()) producer.abortTransaction();
            else producer.commitTransaction();
        }
        return values;
    }

    static Object produce(KafkaProducer<String, String> producer, String topic, JsonNode messages) throws Exception {
        List<Future<RecordMetadata>> sends = new ArrayList<>();
        for (JsonNode each : messages) {
            Integer partition = each.has("partition") ? each.get("partition").asInt() : null;
            sends.add(producer.send(new ProducerRecord<>(topic, partition, text(each.get("key")), text(each.get("value")))));
        }
        List<Map<String, Object>> sent = new ArrayList<>();
        for (var send : sends) {
            RecordMetadata where = send.get();
            sent.add(Map.of("partition", where.partition(), "offset", where.offset()));
        }
        return sent;
    }

    /** What stays open between requests of one client. */
    static class Client {
        final Map<String, Object> settings = new ConcurrentHashMap<>();
        private KafkaProducer<String, String> producer;
        private Admin admin;

        Client(String bootstrap, JsonNode login, JsonNode tls) {
            settings.put("bootstrap.servers", bootstrap);
            settings.put("reconnect.backoff.max.ms", 1000);
            settings.put("metadata.max.age.ms", 1000);
            if (login != null && !login.isNull()) sasl(login);
            if (tls != null && !tls.isNull()) tls(tls);
        }

        private void tls(JsonNode tls) {
            settings.put("security.protocol", settings.containsKey("sasl.mechanism") ? "SASL_SSL" : "SSL");
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", tls.get("ca").asText());
            if (!tls.has("store")) return;
            settings.put("ssl.keystore.type", "PEM");
            settings.put("ssl.keystore.location", tls.get("store").asText());
        }

        private void sasl(JsonNode login) {
            settings.put("security.protocol", "SASL_PLAINTEXT");
            if (login.has("username")) {
                settings.put("sasl.mechanism", "PLAIN");
                String module = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"%s\" password=\"%s\";";
                settings.put("sasl.jaas.config", module.formatted(login.get("username").asText(), login.get("password").asText()));
                return;
            }
            String module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
            settings.put("sasl.mechanism", "OAUTHBEARER");
            if (login.has("token")) {
                settings.put("sasl.jaas.config", module + " token=\"" + login.get("token").asText() + "\";");
                settings.put("sasl.login.callback.handler.class", GivenToken.class.getName());
                return;
            }
            String endpoint = login.get("endpoint").asText();
            System.setProperty("org.apache.kafka.sasl.oauthbearer.allowed.urls", endpoint);
            settings.put("sasl.jaas.config", module + ";");
            settings.put("sasl.login.callback.handler.class", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler");
            settings.put("sasl.oauthbearer.token.endpoint.url", endpoint);
            settings.put("sasl.oauthbearer.client.credentials.client.id", login.get("clientId").asText());
            settings.put("sasl.oauthbearer.client.credentials.client.secret", login.get("clientSecret").asText());
        }

        Map<String, Object> with(Map<String, Object> more) {
            var all = new ConcurrentHashMap<>(settings);
            all.putAll(more);
            return all;
        }

        synchronized KafkaProducer<String, String> producer() {
            if (producer == null) {
                Map<String, Object> times = Map.of("max.block.ms", 15000, "delivery.timeout.ms", 20000, "request.timeout.ms", 10000);
                producer = new KafkaProducer<>(with(times), new StringSerializer(), new StringSerializer());
            }
            return producer;
        }

        synchronized Admin admin() {
            if (admin == null) admin = Admin.create(with(Map.of("default.api.timeout.ms", 20000, "request.timeout.ms", 10000)));
            return admin;
        }

        synchronized void close() {
            if (producer != null) producer.close(Duration.ofSeconds(2));
            if (admin != null) admin.close(Duration.ofSeconds(2));
        }
    }

    /** Logs in with the token of the JAAS line, as it is: the other side is to judge it. */
    public static class GivenToken implements AuthenticateCallbackHandler {
        private String token;

        @Override
        public void configure(Map<String, ?> settings, String mechanism, List<AppConfigurationEntry> entries) {
            token = (String) entries.get(0).getOptions().get("token");
        }

        @Override
        public void handle(Callback[] callbacks) {
            for (Callback each : callbacks) {
                if (each instanceof OAuthBearerTokenCallback asked) asked.token(new Given(token));
            }
        }

        @Override
        public void close() {}
    }

    record Given(String value) implements OAuthBearerToken {
        private JsonNode claims() {
            try {
                return JSON.readTree(Base64.getUrlDecoder().decode(value.split("\\.")[1]));
            } catch (Exception notAToken) {
                return JSON.createObjectNode();
            }
        }

        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public long lifetimeMs() {
            return Math.max(claims().path("exp").asLong() * 1000, System.currentTimeMillis() + 60_000);
        }

        @Override
        public String principalName() {
            return claims().path("sub").asText("unknown");
        }

        @Override
        public Long startTimeMs() {
            return null;
        }
    }

    static ObjectNode described(Throwable thrown) {
        Throwable cause = thrown instanceof ExecutionException && thrown.getCause() != null ? thrown.getCause() : thrown;
        for (Throwable deeper = cause; deeper != null; deeper = deeper.getCause()) {
            Errors error = Errors.forException(deeper);
            if (error != Errors.UNKNOWN_SERVER_ERROR) {
                return JSON.createObjectNode().put("name", error.name()).put("message", deeper.getMessage());
            }
        }
        return JSON.createObjectNode().put("name", cause.getClass().getSimpleName()).put("message", String.valueOf(cause.getMessage()));
    }

    static String text(JsonNode node) {
        return node == null || node.isNull() ? null : node.asText();
    }

    static synchronized void tell(ObjectNode line) {
        OUT.println(line);
        OUT.flush();
    }
}
