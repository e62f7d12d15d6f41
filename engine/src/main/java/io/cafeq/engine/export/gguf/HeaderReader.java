package io.cafeq.engine.export.gguf;

import io.cafeq.engine.text.VisibleText;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.Serial;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads a header. No length is trusted beyond the bytes that are left of the file. */
final class HeaderReader {
  private static final int MOST_DIMENSIONS = 4;

  /** What is wrong with a file, in words. */
  static final class Bad extends IOException {
    @Serial private static final long serialVersionUID = 1;

    Bad(String message) {
      super(message);
    }
  }

  /**
   * @param dataStart where the data of the tensors begins
   */
  record Header(Map<String, GgufValue> values, Map<String, GgufTensor> tensors, long dataStart) {}

  private final DataInputStream in;
  private long left;

  private HeaderReader(FileChannel channel) throws IOException {
    in = new DataInputStream(new BufferedInputStream(Channels.newInputStream(channel), 1 << 16));
    left = channel.size();
  }

  static Header read(FileChannel channel) throws IOException {
    HeaderReader reader = new HeaderReader(channel);
    try {
      return reader.header(channel.size());
    } catch (ArithmeticException | IllegalArgumentException e) {
      throw new Bad("numbers that make no sense: " + e.getMessage());
    }
  }

  private Header header(long size) throws IOException {
    if (integer() != HeaderWriter.MAGIC || integer() != HeaderWriter.VERSION) {
      throw new Bad("no GGUF file of version " + HeaderWriter.VERSION);
    }
    long tensorCount = length(1);
    long valueCount = length(1);
    Map<String, GgufValue> values = new LinkedHashMap<>();
    for (long i = 0; i < valueCount; i++) {
      String key = text();
      if (values.put(key, value(integer())) != null) {
        throw new Bad("key " + VisibleText.quoted(key) + " is there twice");
      }
    }
    Map<String, GgufTensor> tensors = new LinkedHashMap<>();
    for (long i = 0; i < tensorCount; i++) {
      GgufTensor tensor = tensor();
      if (tensors.put(tensor.name(), tensor) != null) {
        throw new Bad("tensor " + VisibleText.quoted(tensor.name()) + " is there twice");
      }
    }
    return new Header(values, tensors, HeaderWriter.aligned(size - left));
  }

  private GgufTensor tensor() throws IOException {
    String name = text();
    int dimensions = integer();
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      throw new Bad("tensor " + VisibleText.quoted(name) + " has " + dimensions + " dimensions");
    }
    List<Long> shape = new ArrayList<>();
    for (int i = 0; i < dimensions; i++) {
      long length = number();
      if (length < 1 || length > Integer.MAX_VALUE) {
        throw new Bad("tensor " + VisibleText.quoted(name) + " has a dimension of " + length);
      }
      shape.addFirst(length);
    }
    int id = integer();
    GgufType type =
        GgufType.ofId(id)
            .orElseThrow(() -> new Bad("type " + id + " of " + VisibleText.quoted(name)));
    if (shape.getLast() % type.weights() != 0) {
      throw new Bad("rows of " + VisibleText.quoted(name) + " are no whole blocks");
    }
    return new GgufTensor(name, shape, type, number());
  }

  private GgufValue value(int type) throws IOException {
    return switch (type) {
      case HeaderWriter.COUNT -> new GgufValue.Count(integer());
      case HeaderWriter.REAL -> new GgufValue.Real(Float.intBitsToFloat(integer()));
      case HeaderWriter.FLAG -> new GgufValue.Flag(octet() != 0);
      case HeaderWriter.TEXT -> new GgufValue.Text(text());
      case HeaderWriter.ARRAY -> array(integer());
      default -> {
        skip(size(type));
        yield new GgufValue.Other(type);
      }
    };
  }

  private GgufValue array(int type) throws IOException {
    return switch (type) {
      case HeaderWriter.TEXT -> new GgufValue.Texts(list(Long.BYTES, i -> text()));
      case HeaderWriter.INTEGER -> new GgufValue.Counts(list(Integer.BYTES, i -> integer()));
      case HeaderWriter.REAL ->
          new GgufValue.Reals(list(Integer.BYTES, i -> Float.intBitsToFloat(integer())));
      case HeaderWriter.FLAG -> new GgufValue.Flags(list(1, i -> octet() != 0));
      default -> {
        int size = size(type);
        skip(length(size) * size);
        yield new GgufValue.Other(type);
      }
    };
  }

  private interface Reading<T> {
    T read(int index) throws IOException;
  }

  private <T> List<T> list(int least, Reading<T> reading) throws IOException {
    long count = length(least);
    List<T> values = new ArrayList<>(Math.toIntExact(count));
    for (int i = 0; i < count; i++) {
      values.add(reading.read(i));
    }
    return values;
  }

  private static int size(int type) throws Bad {
    return switch (type) {
      case 0, 1, HeaderWriter.FLAG -> 1;
      case 2, 3 -> Short.BYTES;
      case HeaderWriter.COUNT, HeaderWriter.INTEGER, HeaderWriter.REAL -> Integer.BYTES;
      case 10, 11, 12 -> Long.BYTES;
      default -> throw new Bad("values of type " + type);
    };
  }

  /** A count of things of at least so many bytes. */
  private long length(int least) throws IOException {
    long count = number();
    if (count < 0 || count > left / least) {
      throw new Bad("a length of " + count + " beyond the file's end");
    }
    return count;
  }

  private String text() throws IOException {
    byte[] utf8 = new byte[Math.toIntExact(length(1))];
    take(utf8.length);
    in.readFully(utf8);
    return new String(utf8, StandardCharsets.UTF_8);
  }

  private int octet() throws IOException {
    take(1);
    return in.readUnsignedByte();
  }

  private int integer() throws IOException {
    take(Integer.BYTES);
    return Integer.reverseBytes(in.readInt());
  }

  private long number() throws IOException {
    take(Long.BYTES);
    return Long.reverseBytes(in.readLong());
  }

  private void skip(long bytes) throws IOException {
    take(bytes);
    in.skipNBytes(bytes);
  }

  private void take(long bytes) throws IOException {
    if (bytes > left) {
      throw new Bad("the header ends beyond the file's end");
    }
    left -= bytes;
  }
}
