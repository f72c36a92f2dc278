// Kafka's own classes as a judge of bytes: reads questions from stdin, a line each, and prints an answer a line.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Iterator;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;

/**
 * "message Name version hex" -> "bytes json", or "! why" when the class refuses the bytes or leaves some over;
 * "records hex" -> whether the first batch is transactional, "! why" when it is broken;
 * "filter" and twice type, name, pattern type, principal, host, operation, permission (codes, and texts in hex or - for null): those of
 * a filter, and those of an ACL -> whether it matches;
 * "errors" -> every error as name=code, then its text.
 */
public class Oracle {
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) out.println(answer(line.split(" ", -1)));
        out.flush();
    }

    static String answer(String[] words) {
        try {
            switch (words[0]) {
                case "message": return message(words[1], Short.parseShort(words[2]), HEX.parseHex(words[3]));
                case "records": return String.valueOf(isTransactional(HEX.parseHex(words[1])));
                case "filter": return String.valueOf(matches(words));
                default: return errors();
            }
        } catch (InvocationTargetException e) {
            return "! " + oneLine(e.getCause());
        } catch (Exception e) {
            return "! " + oneLine(e);
        }
    }

    static String message(String name, short version, byte[] bytes) throws Exception {
        Class<?> data = Class.forName("org.apache.kafka.common.message." + name + "Data");
        Class<?> converter = Class.forName(data.getName() + "JsonConverter");
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        Message message = (Message) data.getConstructor(Readable.class, short.class).newInstance(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) throw new IllegalStateException(buffer.remaining() + " bytes left over");
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer again = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(again), cache, version);
        return HEX.formatHex(again.array()) + " " + converter.getMethod("write", data, short.class, boolean.class).invoke(null, message, version, false);
    }

    static boolean isTransactional(byte[] bytes) {
        Iterator<? extends RecordBatch> batches = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batchIterator();
        return batches.hasNext() && batches.next().isTransactional();
    }

    static boolean matches(String[] w) {
        ResourcePatternFilter patterns = new ResourcePatternFilter(ResourceType.fromCode(code(w[1])), text(w[2]), PatternType.fromCode(code(w[3])));
        AccessControlEntryFilter entries = new AccessControlEntryFilter(text(w[4]), text(w[5]), AclOperation.fromCode(code(w[6])), AclPermissionType.fromCode(code(w[7])));
        ResourcePattern pattern = new ResourcePattern(ResourceType.fromCode(code(w[8])), text(w[9]), PatternType.fromCode(code(w[10])));
        AccessControlEntry entry = new AccessControlEntry(text(w[11]), text(w[12]), AclOperation.fromCode(code(w[13])), AclPermissionType.fromCode(code(w[14])));
        return new AclBindingFilter(patterns, entries).matches(new AclBinding(pattern, entry));
    }

    static byte code(String word) {
        return Byte.parseByte(word);
    }

    static String text(String hex) {
        return hex.equals("-") ? null : new String(HEX.parseHex(hex), java.nio.charset.StandardCharsets.UTF_8);
    }

    static String errors() {
        StringBuilder all = new StringBuilder();
        for (Errors e : Errors.values()) all.append(e.name()).append('=').append(e.code()).append('=').append(e.message()).append('\t');
        return all.toString();
    }

    static String oneLine(Throwable e) {
        return String.valueOf(e).replace('\n', ' ');
    }
}
