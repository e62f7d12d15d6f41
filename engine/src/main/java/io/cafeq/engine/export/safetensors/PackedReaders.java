package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.Packing;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The readers of the packed formats. */
final class PackedReaders {
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private PackedReaders() {}

  /** As this program reads compressed-tensors sources. */
  static void compressedTensors(
      Checkpoint export, String name, int columns, int firstRow, FloatMatrix target) {
    switch (export.weights().read(tensor(export, name), false)) {
      case WeightTensors.Reading.Weights(var weight) ->
          export.readFloats(weight, firstRow, 0, target);
      case WeightTensors.Reading.NoWeights no -> throw missing(export, name);
    }
  }

  /** MLX: w = q s + b, codes a bit stream a row. */
  static void mlx(Checkpoint export, String name, int columns, int firstRow, FloatMatrix target) {
    String module = PackedModules.module(name);
    TensorInfo packed = tensor(export, name);
    TensorInfo scales = tensor(export, module + ".scales");
    TensorInfo biases = tensor(export, module + ".biases");
    int groups = Math.toIntExact(scales.shape().getLast());
    int size = columns / groups;
    long rowBytes = packed.bytes() / packed.shape().getFirst();
    int bits = Math.toIntExact(rowBytes * Byte.SIZE / columns);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment words = arena.allocate(rowBytes * target.rows(), 64);
      FloatMatrix s = FloatMatrix.allocate(arena, target.rows(), groups);
      FloatMatrix b = FloatMatrix.allocate(arena, target.rows(), groups);
      export.read(packed, firstRow * rowBytes, words);
      export.readFloats(scales, firstRow, 0, s);
      export.readFloats(biases, firstRow, 0, b);
      byte[] codes = new byte[columns + Byte.SIZE];
      for (int row = 0; row < target.rows(); row++) {
        Packing.unpack(words, row * rowBytes, columns, bits, codes, 0);
        for (int c = 0; c < columns; c++) {
          int group = c / size;
          target.set(row, c, (codes[c] & 0xFF) * s.get(row, group) + b.get(row, group));
        }
      }
    }
  }

  /** GPTQ: w = (q - (z + 1)) s, codes and zero points in words along the input and the output. */
  static void gptq(Checkpoint export, String name, int columns, int firstRow, FloatMatrix target) {
    String module = PackedModules.module(name);
    TensorInfo codes = tensor(export, module + ".qweight");
    TensorInfo zeros = tensor(export, module + ".qzeros");
    TensorInfo scales = tensor(export, module + ".scales");
    int words = Math.toIntExact(codes.shape().getFirst());
    int rows = Math.toIntExact(codes.shape().getLast());
    int perWord = columns / words;
    int bits = Integer.SIZE / perWord;
    int mask = (1 << bits) - 1;
    int groups = Math.toIntExact(scales.shape().getFirst());
    int size = columns / groups;
    int count = target.rows();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment line = arena.allocate((long) count * Integer.BYTES, 64);
      FloatMatrix s = FloatMatrix.allocate(arena, groups, count);
      export.readFloats(scales, 0, firstRow, s);
      MemorySegment zero = arena.allocate(zeros.bytes(), 64);
      export.read(zeros, 0, zero);
      long zeroWords = zeros.shape().getLast();
      for (int w = 0; w < words; w++) {
        export.read(codes, ((long) w * rows + firstRow) * Integer.BYTES, line);
        for (int i = 0; i < count; i++) {
          int word = line.getAtIndex(INTS, i);
          int row = firstRow + i;
          for (int p = 0; p < perWord; p++) {
            int column = w * perWord + p;
            int group = column / size;
            int z = zero.getAtIndex(INTS, group * zeroWords + row / perWord);
            int zeroPoint = (z >>> row % perWord * bits & mask) + 1;
            int code = word >>> p * bits & mask;
            target.set(i, column, (code - zeroPoint) * s.get(group, i));
          }
        }
      }
    }
  }

  private static TensorInfo tensor(Checkpoint export, String name) {
    return export.tensor(name).orElseThrow(() -> missing(export, name));
  }

  private static EngineException missing(Checkpoint export, String name) {
    return new EngineException(
        FailureKind.RESULT,
        export.location() + " has no tensor " + name,
        "Export the result again into another folder.");
  }
}
