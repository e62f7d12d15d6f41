package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter.Shard;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Checkpoints with weights in every layout, and a reader of them that takes one element after the
 * other.
 */
public final class LayoutSamples {
  private static final double[] E2M1 = {0, .5, 1, 1.5, 2, 3, 4, 6};

  private LayoutSamples() {}

  /** A tensor and its little-endian bytes. */
  public record Stored(String name, Dtype dtype, List<Long> shape, byte[] bytes) {
    /** Element {@code index} by arithmetic on its bits. */
    double value(long index) {
      ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      int at = Math.toIntExact(index * dtype.bytes());
      return switch (dtype) {
        case BF16 -> Float.intBitsToFloat(data.getShort(at) << 16);
        case F16 -> Float.float16ToFloat(data.getShort(at));
        case F32 -> data.getFloat(at);
        case F64 -> data.getDouble(at);
        case F8_E4M3 -> small(data.get(at), 4, 3, 7);
        case F8_E5M2 -> small(data.get(at), 5, 2, 15);
        case F8_E8M0, U8 ->
            (data.get(at) & 0xFF) == 255 ? Double.NaN : Math.pow(2, (data.get(at) & 0xFF) - 127);
        case I64, I32, I16, I8, U64, U32, U16, BOOL -> throw new IllegalArgumentException();
      };
    }

    private static double small(int code, int exponentBits, int fractionBits, int bias) {
      int exponent = (code >> fractionBits) & ((1 << exponentBits) - 1);
      int fraction = code & ((1 << fractionBits) - 1);
      double steps = fraction / Math.pow(2, fractionBits);
      double value =
          exponent == 0
              ? steps * Math.pow(2, 1 - bias)
              : (1 + steps) * Math.pow(2, exponent - bias);
      if (exponentBits == 4 ? (code & 0x7F) == 0x7F : exponent == 31) {
        value = exponentBits == 5 && fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
      }
      return code < 0 ? -value : value;
    }

    public Stored with(int index, int value) {
      byte[] changed = bytes.clone();
      ByteBuffer data = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
      switch (dtype.bytes()) {
        case 1 -> data.put(index, (byte) value);
        case 2 -> data.putShort(index * 2, (short) value);
        default -> data.putInt(index * 4, value);
      }
      return new Stored(name, dtype, shape, changed);
    }
  }

  /**
   * Random bits without NaN and infinity; the small types have magnitudes that scales do not lift
   * out of range.
   */
  public static Stored random(String name, Dtype dtype, List<Long> shape, Random random) {
    int count = Math.toIntExact(shape.stream().reduce(1L, Math::multiplyExact));
    byte[] bytes = new byte[count * dtype.bytes()];
    random.nextBytes(bytes);
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      switch (dtype) {
        case BF16 ->
            data.putShort(
                i * 2, (short) (Float.floatToIntBits((float) random.nextGaussian()) >>> 16));
        case F16 -> data.putShort(i * 2, Float.floatToFloat16((float) random.nextGaussian()));
        case F32 -> data.putFloat(i * 4, (float) random.nextGaussian());
        case F64 -> data.putDouble(i * 8, random.nextGaussian());
        case F8_E4M3 -> data.put(i, (byte) ((bytes[i] & 0x7F) == 0x7F ? 1 : bytes[i]));
        case F8_E5M2 -> data.put(i, (byte) ((bytes[i] & 0x7C) == 0x7C ? 1 : bytes[i]));
        case F8_E8M0 -> data.put(i, (byte) (100 + random.nextInt(50)));
        case I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> {}
      }
    }
    return new Stored(name, dtype, shape, bytes);
  }

  /** One file for each list, with an index where there are several. */
  @SafeVarargs
  public static Path write(Path folder, List<Stored>... files) throws IOException {
    Files.createDirectories(folder);
    List<Shard> shards = new ArrayList<>();
    for (List<Stored> file : files) {
      String name =
          files.length == 1 ? "model.safetensors" : "shard-" + shards.size() + ".safetensors";
      shards.add(
          new Shard(
              name, file.stream().map(t -> new Entry(t.name(), t.dtype(), t.shape())).toList()));
    }
    List<Stored> all = Stream.of(files).flatMap(List::stream).toList();
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer = ShardedWriter.create(folder, shards, Map.of())) {
      for (Entry entry : writer.order()) {
        Stored stored =
            all.stream().filter(t -> t.name().equals(entry.name())).findFirst().orElseThrow();
        MemorySegment bytes =
            arena.allocate(Math.max(1, stored.bytes().length)).asSlice(0, stored.bytes().length);
        MemorySegment.copy(
            stored.bytes(), 0, bytes, ValueLayout.JAVA_BYTE, 0, stored.bytes().length);
        writer.append(stored.name(), bytes);
      }
      writer.finish();
    }
    return folder;
  }

  public static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  /** 8-bit floats [out, in] with a scale for each tile. */
  public static WeightLayout tiled(
      TensorInfo info, TensorInfo scales, int tileRows, int tileColumns) {
    return WeightLayout.Quantized.of(
        LayoutKind.TILED,
        info.shape(),
        new WeightLayout.Codes(WeightLayout.CodeKind.FLOAT8, 8),
        WeightLayout.Scales.of(
            scales, new WeightLayout.Tiles(tileRows, tileColumns, false, false)));
  }

  /** MXFP4 [experts, out, in / 32, 16]. */
  public static WeightLayout microScaled(TensorInfo info, TensorInfo scales) {
    List<Long> shape = info.shape();
    return WeightLayout.Quantized.of(
        LayoutKind.MICRO_SCALED,
        List.of(shape.get(0), shape.get(1), shape.get(2) * 32),
        new WeightLayout.Codes(WeightLayout.CodeKind.FLOAT4, 4),
        WeightLayout.Scales.of(scales, new WeightLayout.Tiles(1, 32, true, false)));
  }

  /**
   * What entry (row, column) must be; {@code scales} is not looked at where the layout has none.
   */
  public static float expected(
      WeightTensor weight, Stored stored, Stored scales, long row, long column) {
    long columns = weight.columns();
    long expert = row / weight.rows();
    double value =
        switch (weight.layout()) {
          case WeightLayout.Plain plain -> stored.value(row * columns + column);
          case WeightLayout.Transposed transposed ->
              stored.value((expert * columns + column) * weight.rows() + row % weight.rows());
          case WeightLayout.Quantized quantized when quantized.kind() == LayoutKind.TILED -> {
            WeightLayout.Tiles tiles = quantized.scales().tiles();
            long across = (columns + tiles.columns() - 1) / tiles.columns();
            yield stored.value(row * columns + column)
                * scales.value(row / tiles.rows() * across + column / tiles.columns());
          }
          case WeightLayout.Quantized quantized -> {
            int two = stored.bytes()[Math.toIntExact((row * columns + column) / 2)];
            int code = column % 2 == 0 ? two & 15 : (two >> 4) & 15;
            yield (code < 8 ? 1 : -1)
                * E2M1[code % 8]
                * scales.value(row * (columns / 32) + column / 32);
          }
        };
    // The product of two floats is exact in double, so this rounds once.
    return (float) value;
  }
}
