/**
 * Kafka's AuthorizerIntegrationTest with the gate between its clients and its broker: what the test sends as User:client goes through the gate,
 * which judges by the ACLs that the test has written; the gate goes on as the broker's super user. One JSON object a line, as in e2e/clients/PROTOCOL.md.
 */

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import kafka.api.AuthorizerIntegrationTest;
import kafka.network.SocketServer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.consumer.internals.AsyncKafkaConsumer;
import org.apache.kafka.clients.consumer.internals.StreamsRebalanceData;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.message.SaslHandshakeRequestData;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.ResponseHeader;
import org.apache.kafka.common.requests.SaslAuthenticateRequest;
import org.apache.kafka.common.requests.SaslHandshakeRequest;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Utils;
import org.junit.jupiter.api.AfterEach;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.discovery.MethodSelector;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import scala.collection.immutable.Set;
import scala.Option;
import scala.reflect.ClassTag;

public class ThroughGate extends AuthorizerIntegrationTest {
    static final ObjectMapper JSON = new ObjectMapper();
    static final PrintStream OUT = System.out;
    static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    /** What only brokers ask of each other: the gate never forwards it, whatever the ACLs say. */
    static final java.util.Set<ApiKeys> BETWEEN_BROKERS = java.util.Set.of(
        ApiKeys.INITIALIZE_SHARE_GROUP_STATE,
        ApiKeys.READ_SHARE_GROUP_STATE,
        ApiKeys.WRITE_SHARE_GROUP_STATE,
        ApiKeys.DELETE_SHARE_GROUP_STATE,
        ApiKeys.READ_SHARE_GROUP_STATE_SUMMARY);

    private String token = "";
    private int gatePort;
    private boolean isDirect;
    private List<AclBinding> known = List.of();
    private boolean hasClients;

    /** Runs the tests that are named, or all. */
    public static void main(String[] names) {
        System.setOut(System.err);
        LauncherFactory.create().execute(chosen(names), new Teller());
        System.exit(0);
    }

    static LauncherDiscoveryRequest chosen(String[] names) {
        var request = LauncherDiscoveryRequestBuilder.request();
        if (names.length == 0) return request.selectors(DiscoverySelectors.selectClass(ThroughGate.class)).build();
        var wanted = java.util.Set.of(names);
        List<MethodSelector> methods = new ArrayList<>();
        for (var each : ThroughGate.class.getMethods()) {
            if (wanted.contains(each.getName())) methods.add(DiscoverySelectors.selectMethod(ThroughGate.class, each));
        }
        return request.selectors(methods).build();
    }

    static class Teller implements TestExecutionListener {
        @Override
        public void executionFinished(TestIdentifier identifier, TestExecutionResult result) {
            if (!identifier.isTest()) return;
            var line = JSON.createObjectNode();
            line.put("test", nameOf(identifier)).put("passed", result.getStatus() == TestExecutionResult.Status.SUCCESSFUL);
            result.getThrowable().ifPresent(why -> line.put("why", textOf(why)));
            tell(line);
        }

        /** With what caused it: clients wrap what they were told. */
        private static String textOf(Throwable why) {
            return why.getCause() == null ? why.toString() : why + ", caused by " + textOf(why.getCause());
        }

        /** The method, and which call of it when it takes parameters. */
        private static String nameOf(TestIdentifier identifier) {
            var segments = identifier.getUniqueIdObject().getSegments();
            String method = segments.get(2).getValue().replaceFirst("\\(.*", "");
            String parameters = identifier.getDisplayName().replace("\"", "").replaceFirst("^\\w+\\([^)]*\\)\\.?", "");
            return segments.size() > 3 ? method + " " + parameters : method;
        }
    }

    @Override
    public void configureSecurityAfterServersStart() {
        super.configureSecurityAfterServersStart();
        var answer = ask(JSON.createObjectNode().put("do", "start").put("bootstrap", super.bootstrapServers(interBrokerListenerName())));
        gatePort = answer.get("port").asInt();
        token = answer.get("token").asText();
        for (var config : List.of(producerConfig(), consumerConfig(), shareConsumerConfig(), streamsConsumerConfig(), adminClientConfig())) {
            config.put("security.protocol", "SASL_PLAINTEXT");
            config.put("sasl.mechanism", "OAUTHBEARER");
            config.put("sasl.jaas.config", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required token=\"" + token + "\";");
            config.put("sasl.login.callback.handler.class", "Driver$GivenToken");
        }
    }

    @AfterEach
    @Override
    public void tearDown() {
        try {
            super.tearDown();
        } finally {
            ask(JSON.createObjectNode().put("do", "stop"));
        }
    }

    @Override
    public String bootstrapServers(ListenerName listener) {
        return listener.equals(listenerName()) ? "127.0.0.1:" + gatePort : super.bootstrapServers(listener);
    }

    /** A connection to the gate, logged in. */
    @Override
    public Socket connect(SocketServer server, ListenerName listener) {
        if (isDirect || !listener.equals(listenerName())) return super.connect(server, listener);
        shareAcls();
        try {
            var socket = new Socket("127.0.0.1", gatePort);
            exchange(socket, new SaslHandshakeRequest.Builder(new SaslHandshakeRequestData().setMechanism("OAUTHBEARER")).build((short) 1));
            byte[] first = ("n,,\u0001auth=Bearer " + token + "\u0001\u0001").getBytes(StandardCharsets.UTF_8);
            var answer = exchange(socket, new SaslAuthenticateRequest.Builder(new SaslAuthenticateRequestData().setAuthBytes(first)).build((short) 2));
            if (!answer.errorCounts().containsKey(Errors.NONE)) throw new IllegalStateException("the gate refused the token: " + answer);
            return socket;
        } catch (IOException broken) {
            throw new IllegalStateException(broken);
        }
    }

    /** Refused by the gate in any case; the test is then shown what the broker says. */
    @Override
    public <T extends AbstractResponse> T connectAndReceive(AbstractRequest request, SocketServer server, ListenerName listener, ClassTag<T> type) {
        if (!BETWEEN_BROKERS.contains(request.apiKey())) return super.connectAndReceive(request, server, listener, type);
        var refused = super.connectAndReceive(request, server, listener, type);
        assertEquals(java.util.Set.of(Errors.CLUSTER_AUTHORIZATION_FAILED), refused.errorCounts().keySet());
        isDirect = true;
        try {
            return super.connectAndReceive(request, server, listener, type);
        } finally {
            isDirect = false;
        }
    }

    /** Over a connection that may have been there before the newest ACLs. */
    @Override
    public <T extends AbstractResponse> T sendAndReceive(
            AbstractRequest request, Socket socket, String client, Option<Object> correlation, ClassTag<T> type) {
        if (!isDirect) shareAcls();
        return super.sendAndReceive(request, socket, client, correlation, type);
    }

    private static AbstractResponse exchange(Socket socket, AbstractRequest request) throws IOException {
        var header = new RequestHeader(request.apiKey(), request.version(), "suite", 0);
        byte[] sent = Utils.toArray(request.serializeWithHeader(header));
        var out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(sent.length);
        out.write(sent);
        var in = new DataInputStream(socket.getInputStream());
        byte[] received = new byte[in.readInt()];
        in.readFully(received);
        var buffer = ByteBuffer.wrap(received);
        ResponseHeader.parse(buffer, request.apiKey().responseHeaderVersion(request.version()));
        return AbstractResponse.parseResponse(request.apiKey(), new ByteBufferAccessor(buffer), request.version());
    }

    @Override
    public void addAndVerifyAcls(Set<AccessControlEntry> acls, ResourcePattern resource) {
        super.addAndVerifyAcls(acls, resource);
        if (hasClients) shareAcls();
    }

    @Override
    public void removeAndVerifyAcls(Set<AccessControlEntry> acls, ResourcePattern resource) {
        super.removeAndVerifyAcls(acls, resource);
        if (hasClients) shareAcls();
    }

    @Override
    public void removeAllClientAcls() {
        super.removeAllClientAcls();
        if (hasClients) shareAcls();
    }

    /** From here on the gate must know of every change at once. */
    private void clientComes() {
        hasClients = true;
        shareAcls();
    }

    @Override
    public <K, V> KafkaProducer<K, V> createProducer(Serializer<K> keys, Serializer<V> values, Properties more) {
        clientComes();
        return super.createProducer(keys, values, more);
    }

    @Override
    public <K, V> Consumer<K, V> createConsumer(
            Deserializer<K> keys, Deserializer<V> values, Properties more, scala.collection.immutable.List<String> less) {
        clientComes();
        return super.createConsumer(keys, values, more, less);
    }

    @Override
    public <K, V> ShareConsumer<K, V> createShareConsumer(
            Deserializer<K> keys, Deserializer<V> values, Properties more, scala.collection.immutable.List<String> less) {
        clientComes();
        return super.createShareConsumer(keys, values, more, less);
    }

    @Override
    public <K, V> AsyncKafkaConsumer<K, V> createStreamsConsumer(
            Deserializer<K> keys,
            Deserializer<V> values,
            Properties more,
            scala.collection.immutable.List<String> less,
            StreamsRebalanceData data) {
        clientComes();
        return super.createStreamsConsumer(keys, values, more, less, data);
    }

    @Override
    public Admin createAdminClient(ListenerName listener, Properties more) {
        clientComes();
        return super.createAdminClient(listener, more);
    }

    /** Gives the gate the broker's ACLs, if they are not what it has; it judges by them when this returns. */
    private void shareAcls() {
        List<AclBinding> now = new ArrayList<>();
        brokers().head().authorizerPlugin().get().get().acls(AclBindingFilter.ANY).forEach(now::add);
        if (now.equals(known)) return;
        var request = JSON.createObjectNode().put("do", "acls");
        var acls = request.putArray("acls");
        for (var each : now) {
            acls.addObject()
                .put("resourceType", each.pattern().resourceType().name())
                .put("name", each.pattern().name())
                .put("patternType", each.pattern().patternType().name())
                .put("principal", each.entry().principal())
                .put("host", each.entry().host())
                .put("operation", each.entry().operation().name())
                .put("permission", each.entry().permissionType().name());
        }
        ask(request);
        known = now;
    }

    static synchronized JsonNode ask(ObjectNode request) {
        tell(request);
        try {
            var answer = JSON.readTree(IN.readLine());
            if (answer.has("error")) throw new IllegalStateException(answer.get("error").asText());
            return answer;
        } catch (IOException broken) {
            throw new IllegalStateException(broken);
        }
    }

    static synchronized void tell(ObjectNode line) {
        OUT.println(line);
        OUT.flush();
    }
}
