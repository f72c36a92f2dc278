/** Members of groups: of a consumer group, and of a share group. */

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Tells what it gets until it is ended or an error ends it. */
abstract class Member extends Thread {
    final String name;
    final List<String> topics = new ArrayList<>();

    Member(JsonNode request) {
        name = request.get("consumer").asText();
        for (JsonNode topic : request.get("topics")) topics.add(topic.asText());
    }

    abstract void subscribe();

    abstract ConsumerRecords<String, String> poll(Duration patience);

    abstract void wakeup();

    abstract void close();

    @Override
    public void run() {
        try {
            subscribe();
            while (true) {
                for (var record : poll(Duration.ofMillis(500))) Driver.tell(message(record));
            }
        } catch (WakeupException ended) {
            // asked to end
        } catch (Throwable thrown) {
            ObjectNode line = Driver.JSON.createObjectNode().put("consumer", name);
            line.set("error", Driver.described(thrown));
            Driver.tell(line);
        } finally {
            close();
        }
    }

    void end() throws InterruptedException {
        wakeup();
        join(20000);
    }

    private ObjectNode message(ConsumerRecord<String, String> record) {
        ObjectNode line = Driver.JSON.createObjectNode().put("consumer", name);
        line.putObject("message")
            .put("topic", record.topic())
            .put("partition", record.partition())
            .put("offset", record.offset())
            .put("key", record.key())
            .put("value", record.value());
        return line;
    }
}

/** A consumer in a group. */
class Subscription extends Member implements ConsumerRebalanceListener {
    private final String pattern;
    private final KafkaConsumer<String, String> consumer;

    Subscription(JsonNode request, Driver.Client client) {
        super(request);
        pattern = request.path("pattern").asText("");
        Map<String, Object> group = new HashMap<>(Map.of(
            "group.id", request.get("group").asText(),
            "group.protocol", request.path("protocol").asText("classic"),
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest"));
        if (request.path("assignor").asText().equals("cooperative")) {
            group.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        }
        consumer = new KafkaConsumer<>(client.with(group), new StringDeserializer(), new StringDeserializer());
    }

    @Override
    void subscribe() {
        if (pattern.isEmpty()) consumer.subscribe(topics, this);
        else consumer.subscribe(new SubscriptionPattern(pattern), this);
    }

    @Override
    ConsumerRecords<String, String> poll(Duration patience) {
        return consumer.poll(patience);
    }

    @Override
    void wakeup() {
        consumer.wakeup();
    }

    @Override
    void close() {
        consumer.close();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        Driver.tell(Driver.JSON.createObjectNode().put("consumer", name).put("assigned", partitions.size()));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        Driver.tell(Driver.JSON.createObjectNode().put("consumer", name).put("revoked", partitions.size()));
    }
}

/** A member of a share group: what it gets it acknowledges with the next poll. */
class Share extends Member {
    private final KafkaShareConsumer<String, String> consumer;

    Share(JsonNode request, Driver.Client client) {
        super(request);
        Map<String, Object> group = Map.of("group.id", request.get("group").asText());
        consumer = new KafkaShareConsumer<>(client.with(group), new StringDeserializer(), new StringDeserializer());
    }

    @Override
    void subscribe() {
        consumer.subscribe(topics);
    }

    @Override
    ConsumerRecords<String, String> poll(Duration patience) {
        return consumer.poll(patience);
    }

    @Override
    void wakeup() {
        consumer.wakeup();
    }

    @Override
    void close() {
        consumer.close();
    }
}
