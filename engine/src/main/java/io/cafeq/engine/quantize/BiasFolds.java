package io.cafeq.engine.quantize;

import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.checkpoint.FloatConversion;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Carries the transforms of pairs out on biases: entries of a head become the head's map times
 * them, all others stay. One bias may belong to several pairs, so it is written once all parts are
 * known.
 */
final class BiasFolds {
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOATS =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLES =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Map<Integer, List<Fold>> folds = new HashMap<>();

  /**
   * Entries [first, first + size) of a bias become {@code map} times them; row-major [size, size].
   */
  record Fold(String bias, int first, int size, double[] map) {}

  /** What a part does to biases, in place of what it did before. */
  void put(int part, List<Fold> made) {
    folds.put(part, List.copyOf(made));
  }

  /** Writes every bias of the unit. */
  void write(
      Unit.Quantized unit, UnitFileWriter writer, Checkpoint checkpoint, TensorReader reader) {
    for (PlannedTensor bias : biases(unit)) {
      TensorInfo info = bias.info();
      double[] values = read(info, reader);
      try (Arena arena = Arena.ofConfined()) {
        // Entries that belong to no head keep their bytes.
        MemorySegment bytes =
            arena.allocate(Math.max(1, info.bytes()), 64).asSlice(0, info.bytes());
        checkpoint.read(info, 0, bytes);
        folds.values().stream()
            .flatMap(List::stream)
            .filter(fold -> fold.bias().equals(info.name()))
            .forEach(
                fold -> {
                  for (int i = 0; i < fold.size(); i++) {
                    double sum = 0;
                    for (int j = 0; j < fold.size(); j++) {
                      sum += fold.map()[i * fold.size() + j] * values[fold.first() + j];
                    }
                    if (!put(info, sum, bytes, fold.first() + i)) {
                      throw outOfRange(checkpoint, info);
                    }
                  }
                });
        writer.writeRaw(info.name(), 0, bytes);
      }
    }
  }

  private static List<PlannedTensor> biases(Unit.Quantized unit) {
    Map<String, PlannedTensor> biases = new LinkedHashMap<>();
    for (Part part : unit.parts()) {
      if (part instanceof Part.Pair pair && !pair.treatment().settings().reverse()) {
        Stream.of(pair.leftBias(), pair.rightBias())
            .flatMap(Optional::stream)
            .forEach(bias -> biases.put(bias.name(), bias));
      }
    }
    return new ArrayList<>(biases.values());
  }

  /** A bias as one row. */
  static double[] read(TensorInfo info, TensorReader reader) {
    int length = Math.toIntExact(info.elements());
    TensorInfo row =
        new TensorInfo(
            info.name(),
            info.dtype(),
            List.of(1L, (long) length),
            info.file(),
            info.position(),
            info.bytes());
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix floats = FloatMatrix.allocate(arena, 1, length);
      reader.readFloats(row, 0, 0, floats);
      double[] values = new double[length];
      for (int i = 0; i < length; i++) {
        values[i] = floats.get(0, i);
      }
      return values;
    }
  }

  /** Stores an entry in the bias's own type; false where it is out of its range. */
  private static boolean put(TensorInfo info, double entry, MemorySegment bytes, int at) {
    float value = (float) entry;
    return Float.isFinite(
        switch (info.dtype()) {
          case F64 -> {
            bytes.set(DOUBLES, 8L * at, entry);
            yield value;
          }
          case F32 -> {
            bytes.set(FLOATS, 4L * at, value);
            yield value;
          }
          case F16 -> {
            short half = Float.floatToFloat16(value);
            bytes.set(SHORTS, 2L * at, half);
            yield Float.float16ToFloat(half);
          }
          case BF16 -> {
            short[] rounded = new short[1];
            FloatConversion.toBf16(new int[] {Float.floatToRawIntBits(value)}, rounded, 1);
            bytes.set(SHORTS, 2L * at, rounded[0]);
            yield Float.intBitsToFloat(rounded[0] << 16);
          }
          case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
              throw new IllegalArgumentException("no bias: " + info);
        });
  }

  private static CheckpointException outOfRange(Checkpoint checkpoint, TensorInfo info) {
    return new CheckpointException(
        checkpoint.place(info.file())
            + ": tensor "
            + info.name()
            + ": its entries leave the range of "
            + info.dtype()
            + " under the transform of its pair",
        "Quantize into another folder with --no-pairs.");
  }
}
