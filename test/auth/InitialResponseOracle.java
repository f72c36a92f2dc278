import java.io.*;
import java.util.*;
import org.apache.kafka.common.security.oauthbearer.internals.OAuthBearerClientInitialResponse;

/** stdin: a message in hex, a line each; stdout: what Kafka reads in it as token, authorization id, extensions (hex, tab-separated), or "!". */
public class InitialResponseOracle {
  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16));
    HexFormat hex = HexFormat.of();
    for (String line; (line = in.readLine()) != null; ) {
      try {
        OAuthBearerClientInitialResponse read = new OAuthBearerClientInitialResponse(hex.parseHex(line));
        StringBuilder extensions = new StringBuilder();
        for (Map.Entry<String, String> e : new TreeMap<>(read.extensions().map()).entrySet())
          extensions.append(hex.formatHex((e.getKey() + "=" + e.getValue() + "\n").getBytes("UTF-8")));
        out.println(hex.formatHex(read.tokenValue().getBytes("UTF-8")) + "\t" + hex.formatHex(read.authorizationId().getBytes("UTF-8")) + "\t" + extensions);
      } catch (Exception | StackOverflowError e) {
        out.println("!");
      }
    }
    out.flush();
  }
}
