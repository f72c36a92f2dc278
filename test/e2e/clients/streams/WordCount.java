/** Word counts by Kafka Streams, as many as there are arguments; what becomes of each is told as one JSON object a line, until stdin ends. */

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.Topology;

public class WordCount {
    static final ObjectMapper JSON = new ObjectMapper();
    static final PrintStream OUT = System.out;

    /** Each argument: `app`, `input`, `output`, and `properties` of Kafka Streams. */
    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err);
        List<KafkaStreams> running = new ArrayList<>();
        for (String each : arguments) running.add(start(JSON.readTree(each)));
        while (System.in.read() >= 0) continue;
        for (var streams : running) streams.close(Duration.ofSeconds(5));
        System.exit(0);
    }

    static KafkaStreams start(JsonNode asked) throws Exception {
        String app = asked.get("app").asText();
        var properties = new Properties();
        asked.get("properties").properties().forEach(each -> properties.put(each.getKey(), each.getValue().asText()));
        properties.put("application.id", app);
        properties.put("state.dir", Files.createTempDirectory("streams").toString());
        properties.put("default.key.serde", Serdes.StringSerde.class.getName());
        properties.put("default.value.serde", Serdes.StringSerde.class.getName());
        var streams = new KafkaStreams(counting(asked.get("input").asText(), asked.get("output").asText()), properties);
        streams.setStateListener((now, before) -> tell(app, "state", now.name()));
        streams.setUncaughtExceptionHandler(thrown -> {
            tell(app, "error", nameOf(thrown));
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        return streams;
    }

    /** The words are sent to one another by a repartition topic, and the counts are kept in a changelog topic. */
    static Topology counting(String input, String output) {
        var builder = new StreamsBuilder();
        builder.<String, String>stream(input)
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word)
            .count(Materialized.as("counts"))
            .toStream()
            .mapValues(String::valueOf)
            .to(output);
        return builder.build();
    }

    static String nameOf(Throwable thrown) {
        for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
            Errors error = Errors.forException(cause);
            if (error != Errors.UNKNOWN_SERVER_ERROR) return error.name();
        }
        return thrown.toString();
    }

    static synchronized void tell(String app, String what, String value) {
        ObjectNode line = JSON.createObjectNode().put("app", app).put(what, value);
        OUT.println(line);
        OUT.flush();
    }
}
