package io.cafeq.engine.export.gguf;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Writes a header in pieces of bounded size: vocabularies have a few hundred thousand tokens. */
final class HeaderWriter {
  static final int MAGIC = 0x46554747;
  static final int VERSION = 3;
  static final int ALIGNMENT = 32;

  /** Numbers of the types of values (gguf.md, enum gguf_metadata_value_type). */
  static final int COUNT = 4;

  static final int INTEGER = 5;
  static final int REAL = 6;
  static final int FLAG = 7;
  static final int TEXT = 8;
  static final int ARRAY = 9;

  private static final int PIECE = 1 << 16;

  private final Consumer<ByteBuffer> out;
  private final ByteBuffer piece = ByteBuffer.allocate(PIECE).order(ByteOrder.LITTLE_ENDIAN);
  private long written;

  private HeaderWriter(Consumer<ByteBuffer> out) {
    this.out = out;
  }

  /** Tensors with the places that they get, in order. */
  static List<GgufTensor> placed(List<GgufTensor> tensors) {
    List<GgufTensor> placed = new ArrayList<>();
    long offset = 0;
    for (GgufTensor tensor : tensors) {
      placed.add(new GgufTensor(tensor.name(), tensor.shape(), tensor.type(), offset));
      offset = aligned(Math.addExact(offset, tensor.bytes()));
    }
    return placed;
  }

  static long aligned(long offset) {
    return Math.addExact(offset, ALIGNMENT - 1L) / ALIGNMENT * ALIGNMENT;
  }

  /** Writes all that comes before the data, which then begins where the header ends. */
  static void write(
      Map<String, GgufValue> values, List<GgufTensor> tensors, Consumer<ByteBuffer> out) {
    HeaderWriter writer = new HeaderWriter(out);
    writer.integer(MAGIC);
    writer.integer(VERSION);
    writer.number(tensors.size());
    writer.number(values.size());
    values.forEach(writer::value);
    tensors.forEach(writer::tensor);
    writer.bytes(new byte[Math.toIntExact(aligned(writer.written) - writer.written)]);
    writer.flush();
  }

  private void value(String key, GgufValue value) {
    text(key);
    switch (value) {
      case GgufValue.Count(int count) -> {
        integer(COUNT);
        integer(count);
      }
      case GgufValue.Real(float real) -> {
        integer(REAL);
        integer(Float.floatToRawIntBits(real));
      }
      case GgufValue.Flag(boolean flag) -> {
        integer(FLAG);
        flag(flag);
      }
      case GgufValue.Text(String text) -> {
        integer(TEXT);
        text(text);
      }
      case GgufValue.Texts(List<String> texts) -> {
        array(TEXT, texts.size());
        texts.forEach(this::text);
      }
      case GgufValue.Counts(List<Integer> counts) -> {
        array(INTEGER, counts.size());
        counts.forEach(this::integer);
      }
      case GgufValue.Reals(List<Float> reals) -> {
        array(REAL, reals.size());
        reals.forEach(real -> integer(Float.floatToRawIntBits(real)));
      }
      case GgufValue.Flags(List<Boolean> flags) -> {
        array(FLAG, flags.size());
        flags.forEach(this::flag);
      }
      case GgufValue.Other other ->
          throw new IllegalArgumentException(key + " has a value that cannot be written");
    }
  }

  private void tensor(GgufTensor tensor) {
    text(tensor.name());
    integer(tensor.shape().size());
    tensor.shape().reversed().forEach(this::number);
    integer(tensor.type().id());
    number(tensor.offset());
  }

  private void array(int type, int length) {
    integer(ARRAY);
    integer(type);
    number(length);
  }

  private void text(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    number(utf8.length);
    bytes(utf8);
  }

  private void flag(boolean flag) {
    room(1).put((byte) (flag ? 1 : 0));
  }

  private void integer(int value) {
    room(Integer.BYTES).putInt(value);
  }

  private void number(long value) {
    room(Long.BYTES).putLong(value);
  }

  private void bytes(byte[] bytes) {
    for (int done = 0; done < bytes.length; ) {
      int some = Math.min(PIECE, bytes.length - done);
      room(some).put(bytes, done, some);
      done += some;
    }
  }

  private ByteBuffer room(int bytes) {
    if (piece.remaining() < bytes) {
      flush();
    }
    written += bytes;
    return piece;
  }

  private void flush() {
    out.accept(piece.flip());
    piece.clear();
  }
}
