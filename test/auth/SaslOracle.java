import java.net.*;
import java.nio.*;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.*;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.internals.BrokerSecurityConfigs;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.network.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.ApiVersionsResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.security.authenticator.CredentialCache;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.LogContext;

/**
 * A server of Kafka's own network classes: logs clients in by OAUTHBEARER with unsigned tokens, then echoes what they send.
 * Prints its port; ends with its input.
 */
public class SaslOracle {
  public static void main(String[] args) throws Exception {
    String login = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";";
    Map<String, Object> settings = new HashMap<>();
    settings.put("sasl.enabled.mechanisms", List.of("OAUTHBEARER"));
    settings.put("oauthbearer.sasl.jaas.config", login);
    settings.put("oauthbearer.connections.max.reauth.ms", Long.valueOf(args[0]));
    settings.put("connections.max.reauth.ms", Long.valueOf(args[0]));
    ListenerName name = new ListenerName("clients");
    Map<String, Object> ofListener = new HashMap<>();
    settings.forEach((key, value) -> ofListener.put(name.configPrefix() + key, value));
    settings.putAll(ofListener);
    LogContext log = new LogContext();
    ChannelBuilder channels = ChannelBuilders.serverChannelBuilder(name, false, SecurityProtocol.SASL_PLAINTEXT,
        new AbstractConfig(BrokerSecurityConfigs.CONFIG_DEF, settings, false), new CredentialCache(), null, Time.SYSTEM, log, SaslOracle::versions);
    Selector selector = new Selector(600_000, 100, new Metrics(), Time.SYSTEM, "oracle", channels, log);
    ServerSocketChannel server = ServerSocketChannel.open();
    server.bind(new InetSocketAddress("127.0.0.1", 0));
    server.configureBlocking(false);
    System.out.println(server.socket().getLocalPort());
    System.out.flush();
    Thread input = new Thread(() -> { try { while (System.in.read() >= 0) { } } catch (Exception e) { } System.exit(0); });
    input.setDaemon(true);
    input.start();
    for (int accepted = 0; ; ) {
      for (SocketChannel client; (client = server.accept()) != null; ) {
        client.configureBlocking(false);
        selector.register("c" + accepted++, client);
      }
      selector.poll(5);
      for (NetworkReceive receive : selector.completedReceives()) {
        try {
          serve(selector, receive);
        } catch (Exception e) {
          selector.close(receive.source());
        }
      }
    }
  }

  /** SocketServer.processCompletedReceives: a handshake re-authenticates, an ended session is closed, all else is the server's own. */
  static void serve(Selector selector, NetworkReceive receive) throws Exception {
    KafkaChannel channel = selector.channel(receive.source());
    ByteBuffer payload = receive.payload().duplicate();
    boolean handshake = payload.remaining() >= 8 && RequestHeader.parse(payload).apiKey() == ApiKeys.SASL_HANDSHAKE;
    if (handshake && channel.maybeBeginServerReauthentication(receive, Time.SYSTEM::nanoseconds)) return;
    if (channel.serverAuthenticationSessionExpired(Time.SYSTEM.nanoseconds())) selector.close(receive.source());
    else selector.send(new NetworkSend(receive.source(), ByteBufferSend.sizePrefixed(receive.payload())));
  }

  static ApiVersionsResponse versions(short version) {
    return new ApiVersionsResponse(new ApiVersionsResponseData());
  }
}
