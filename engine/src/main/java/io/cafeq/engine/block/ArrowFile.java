package io.cafeq.engine.block;

import com.google.flatbuffers.Table;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.apache.arrow.flatbuf.Block;
import org.apache.arrow.flatbuf.DictionaryBatch;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.Footer;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;

/**
 * The frame of an Arrow IPC file that is not trusted: magic, footer, messages. It reads by
 * position, bounds every length by the file before memory is taken for it, and never hands out
 * native addresses, so that a hostile file can do no more than fail.
 */
final class ArrowFile implements AutoCloseable {
  /** A slab's payload and what is around it. */
  private static final long MAX_BODY = UnitFileWriter.MAX_ROW_BYTES + (16L << 20);

  private static final int MAX_METADATA = 64 << 20;
  private static final byte[] MAGIC = "ARROW1".getBytes(StandardCharsets.US_ASCII);
  private static final int TAIL = 4 + MAGIC.length;

  /** Where a message is. */
  private record Frame(long position, int metadataLength, long bodyLength) {}

  private final Damage damage;
  private final FileChannel channel;
  private final long size;
  private List<String> columns = List.of();
  private SortedMap<String, String> schemaMetadata = new TreeMap<>();
  private SortedMap<String, String> footerMetadata = new TreeMap<>();
  private List<Frame> dictionaries = List.of();
  private List<Frame> batches = List.of();

  private ArrowFile(Damage damage, FileChannel channel) throws IOException {
    this.damage = damage;
    this.channel = channel;
    this.size = channel.size();
  }

  static ArrowFile open(Path path) {
    Damage damage = new Damage(path);
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      try {
        ArrowFile file = new ArrowFile(damage, channel);
        file.readFooter();
        return file;
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (IOException e) {
      throw cannotRead(path, e);
    }
  }

  Damage damage() {
    return damage;
  }

  long size() {
    return size;
  }

  /** {@code name:type} of each column, with the type's number in Arrow's flatbuffer union. */
  List<String> columns() {
    return columns;
  }

  SortedMap<String, String> schemaMetadata() {
    return schemaMetadata;
  }

  SortedMap<String, String> footerMetadata() {
    return footerMetadata;
  }

  int batches() {
    return batches.size();
  }

  /** The layout of record batch {@code index}; reads its metadata, not its body. */
  BatchLayout batch(int index) {
    Frame frame = batches.get(index);
    Message message = message(frame, MessageHeader.RecordBatch);
    return guarded(
        () ->
            BatchLayout.of(
                damage, table(message, new RecordBatch()), body(frame), frame.bodyLength));
  }

  /** The strings of the dictionary with that number. */
  List<String> dictionary(long id) {
    for (Frame frame : dictionaries) {
      DictionaryBatch batch =
          table(message(frame, MessageHeader.DictionaryBatch), new DictionaryBatch());
      if (guarded(batch::id) == id) {
        return strings(frame, batch);
      }
    }
    throw damage.of("the dictionary of tensor names is missing");
  }

  /** Fills {@code target} from an absolute position. */
  void read(long position, MemorySegment target) {
    read(position, target.asByteBuffer());
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw cannotRead(damage.file(), e);
    }
  }

  /** Flatbuffers that lie lead out of their buffer, or in circles. */
  <T> T guarded(Supplier<T> read) {
    try {
      return read.get();
    } catch (EngineException e) {
      throw e;
    } catch (RuntimeException e) {
      throw damage.of("its Arrow metadata is damaged", e);
    }
  }

  private void readFooter() {
    if (size < 8 + TAIL || !hasMagic(0) || !hasMagic(size - MAGIC.length)) {
      throw damage.of("is not a complete Arrow file (" + size + " bytes)");
    }
    int length = bytes(size - TAIL, 4).getInt();
    if (length <= 0 || length > MAX_METADATA || length > size - 8 - TAIL) {
      throw damage.of("its footer claims " + length + " bytes");
    }
    Footer footer = guarded(() -> Footer.getRootAsFooter(bytes(size - TAIL - length, length)));
    guarded(
        () -> {
          footerMetadata = metadata(footer.customMetadataLength(), footer::customMetadata);
          Schema schema = footer.schema();
          schemaMetadata = metadata(schema.customMetadataLength(), schema::customMetadata);
          columns = columns(schema);
          dictionaries = frames(footer.dictionariesLength(), footer::dictionaries);
          batches = frames(footer.recordBatchesLength(), footer::recordBatches);
          return true;
        });
  }

  private static List<String> columns(Schema schema) {
    List<String> columns = new ArrayList<>();
    for (int i = 0; i < schema.fieldsLength(); i++) {
      Field field = schema.fields(i);
      columns.add(field.name() + ":" + field.typeType());
    }
    return List.copyOf(columns);
  }

  private SortedMap<String, String> metadata(int count, IntFunction<KeyValue> entries) {
    SortedMap<String, String> metadata = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      KeyValue entry = entries.apply(i);
      if (metadata.put(entry.key(), entry.value()) != null) {
        throw damage.of("metadata key " + entry.key() + " appears twice");
      }
    }
    return metadata;
  }

  private List<Frame> frames(int count, IntFunction<Block> blocks) {
    List<Frame> frames = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Block block = blocks.apply(i);
      Frame frame = new Frame(block.offset(), block.metaDataLength(), block.bodyLength());
      boolean sound =
          frame.position >= 8
              && frame.position < size
              && frame.metadataLength >= 8
              && frame.metadataLength <= MAX_METADATA
              && frame.bodyLength >= 0
              && frame.bodyLength <= MAX_BODY
              && frame.metadataLength + frame.bodyLength <= size - frame.position;
      if (!sound) {
        throw damage.of("block " + i + " of its footer lies outside the file: " + frame);
      }
      frames.add(frame);
    }
    return List.copyOf(frames);
  }

  private Message message(Frame frame, byte type) {
    ByteBuffer head = bytes(frame.position, frame.metadataLength);
    boolean continued = head.getInt() == 0xFFFFFFFF;
    int length = head.getInt();
    if (!continued || length <= 0 || length > frame.metadataLength - 8) {
      throw damage.of("no Arrow message begins at byte " + frame.position);
    }
    return guarded(
        () -> {
          Message message =
              Message.getRootAsMessage(head.slice(8, length).order(ByteOrder.LITTLE_ENDIAN));
          if (message.headerType() != type || message.bodyLength() != frame.bodyLength) {
            throw damage.of(
                "the Arrow message at byte " + frame.position + " differs from the footer");
          }
          return message;
        });
  }

  private <T extends Table> T table(Message message, T table) {
    guarded(() -> message.header(table));
    return table;
  }

  private long body(Frame frame) {
    return frame.position + frame.metadataLength;
  }

  private List<String> strings(Frame frame, DictionaryBatch batch) {
    return guarded(
        () -> {
          RecordBatch data = batch.data();
          ByteBuffer body = bytes(body(frame), Math.toIntExact(frame.bodyLength));
          ByteBuffer offsets = slice(body, data.buffers(1));
          ByteBuffer text = slice(body, data.buffers(2));
          List<String> strings = new ArrayList<>();
          for (int i = 0; i < data.length(); i++) {
            int begin = offsets.getInt(4 * i);
            strings.add(
                StandardCharsets.UTF_8
                    .decode(text.slice(begin, offsets.getInt(4 * i + 4) - begin))
                    .toString());
          }
          return strings;
        });
  }

  private static ByteBuffer slice(ByteBuffer body, org.apache.arrow.flatbuf.Buffer buffer) {
    return body.slice(Math.toIntExact(buffer.offset()), Math.toIntExact(buffer.length()))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  private boolean hasMagic(long position) {
    return bytes(position, MAGIC.length).equals(ByteBuffer.wrap(MAGIC));
  }

  private ByteBuffer bytes(long position, int length) {
    ByteBuffer target = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    read(position, target.duplicate());
    return target;
  }

  private void read(long position, ByteBuffer target) {
    try {
      while (target.hasRemaining()) {
        int read = channel.read(target, position + target.position());
        if (read < 0) {
          throw new EOFException("the file ends at byte " + channel.size());
        }
      }
    } catch (EOFException e) {
      throw damage.of("was cut short while it was read", e);
    } catch (IOException e) {
      throw cannotRead(damage.file(), e);
    }
  }

  private static EngineException cannotRead(Path path, IOException cause) {
    return cause instanceof NoSuchFileException
        ? new Damage(path).missing(cause)
        : new EngineException(
            FailureKind.RESULT,
            "cannot read " + path + ": " + cause.getMessage(),
            "Check the disk, and that the file may be read.",
            cause);
  }
}
