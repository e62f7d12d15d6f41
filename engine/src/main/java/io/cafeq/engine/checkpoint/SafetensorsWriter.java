package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Writes one safetensors file as a stream: all tensors are declared first, then their bytes come in
 * the order of {@link #order}. The same declarations and bytes give the same file. Not thread-safe.
 * The file appears under its name at {@link #finish}; closing without it leaves nothing. A full
 * disk is an EngineException of kind ENVIRONMENT.
 */
public final class SafetensorsWriter implements AutoCloseable {
  /** Largest elements first, so that every tensor is aligned. */
  public static final Comparator<Entry> ORDER =
      Comparator.comparingInt((Entry e) -> -e.dtype().bytes()).thenComparing(Entry::name);

  private static final int LENGTH_BYTES = 8;

  /** A tensor to be written, row-major and little-endian. */
  public record Entry(String name, Dtype dtype, List<Long> shape) {
    public Entry {
      shape = List.copyOf(shape);
    }

    /** What a stored tensor is declared as. */
    public static Entry of(TensorInfo tensor) {
      return new Entry(tensor.name(), tensor.dtype(), tensor.shape());
    }

    /** Bytes of all elements. */
    public long bytes() {
      long bytes = dtype.bytes();
      for (long size : shape) {
        bytes = Math.multiplyExact(bytes, size);
      }
      return bytes;
    }
  }

  private final DurableFile file;
  private final List<Entry> order;
  private int current;
  private long written;

  private SafetensorsWriter(DurableFile file, List<Entry> order) {
    this.file = file;
    this.order = order;
  }

  /**
   * Declares all tensors and writes the header.
   *
   * @param metadata goes into {@code __metadata__}, where {@code format} is {@code pt} unless it is
   *     given here: transformers does not load a file without it
   */
  public static SafetensorsWriter create(
      Path target, List<Entry> tensors, Map<String, String> metadata) {
    List<Entry> order = tensors.stream().sorted(ORDER).toList();
    byte[] header = header(tensors, metadata);
    DurableFile file = DurableFile.create(target);
    try {
      ByteBuffer length =
          ByteBuffer.allocate(LENGTH_BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putLong(0, header.length);
      file.append(length);
      file.append(ByteBuffer.wrap(header));
      return new SafetensorsWriter(file, order);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** The header as {@link #create} writes it, without its length. */
  public static byte[] header(List<Entry> tensors, Map<String, String> metadata) {
    SortedMap<String, String> entries = new TreeMap<>(metadata);
    entries.putIfAbsent("format", "pt");
    Set<String> names = new HashSet<>();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes, JsonEncoding.UTF8)) {
      json.writeStartObject();
      json.writeObjectFieldStart("__metadata__");
      for (Map.Entry<String, String> entry : entries.entrySet()) {
        json.writeStringField(entry.getKey(), entry.getValue());
      }
      json.writeEndObject();
      long offset = 0;
      for (Entry tensor : tensors.stream().sorted(ORDER).toList()) {
        if (!names.add(tensor.name()) || tensor.name().equals("__metadata__")) {
          throw new IllegalArgumentException(
              "tensor " + tensor.name() + " cannot be declared twice");
        }
        json.writeObjectFieldStart(tensor.name());
        json.writeStringField("dtype", tensor.dtype().name());
        json.writeArrayFieldStart("shape");
        for (long size : tensor.shape()) {
          json.writeNumber(size);
        }
        json.writeEndArray();
        json.writeArrayFieldStart("data_offsets");
        json.writeNumber(offset);
        offset = Math.addExact(offset, tensor.bytes());
        json.writeNumber(offset);
        json.writeEndArray();
        json.writeEndObject();
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    while (bytes.size() % 8 != 0) {
      bytes.write(' ');
    }
    if (bytes.size() > SafetensorsHeader.LARGEST) {
      throw new IllegalArgumentException(
          "a header of " + bytes.size() + " bytes is larger than the format allows");
    }
    return bytes.toByteArray();
  }

  /**
   * The tensors in the order in which their bytes must come: largest elements first, then by name.
   */
  public List<Entry> order() {
    return order;
  }

  /**
   * Adds bytes, in a native segment, to the tensor whose turn it is; a tensor may come in any
   * number of pieces.
   */
  public void append(String tensor, MemorySegment bytes) {
    if (bytes.byteSize() == 0) {
      return;
    }
    skipComplete();
    if (current == order.size() || !order.get(current).name().equals(tensor)) {
      String expected = current == order.size() ? "the end" : order.get(current).name();
      throw new IllegalStateException("bytes of " + tensor + " came, expected " + expected);
    }
    if (bytes.byteSize() > order.get(current).bytes() - written) {
      throw new IllegalStateException(
          "tensor " + tensor + " gets more bytes than it was declared with");
    }
    file.append(bytes);
    written += bytes.byteSize();
  }

  /** Whether every declared byte has come. */
  public boolean isComplete() {
    skipComplete();
    return current == order.size();
  }

  private void skipComplete() {
    while (current < order.size() && written == order.get(current).bytes()) {
      current++;
      written = 0;
    }
  }

  /** Syncs the file and gives it its name. */
  public void finish() {
    if (!isComplete()) {
      throw new IllegalStateException("tensor " + order.get(current).name() + " is not complete");
    }
    file.publish();
  }

  @Override
  public void close() {
    file.close();
  }
}
