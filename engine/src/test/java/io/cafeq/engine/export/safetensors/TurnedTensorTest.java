package io.cafeq.engine.export.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TurnedTensorTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "BF16, 0, 7, 5, 3",
    "F32, 3, 70, 130, 64",
    "F64, 2, 1, 9, 1",
    "F16, 4, 9, 1, 20",
    "BF16, 0, 300, 9000, 77", // several chunks and stripes
    "F32, 2, 600, 3000, 500",
    "BF16, 0, 3, 700000, 2" // a row of more than a chunk
  })
  void givesEveryMatrixAsInOut(Dtype dtype, int experts, int rows, int columns, int piece) {
    List<Long> shape =
        experts == 0
            ? List.of((long) columns, (long) rows)
            : List.of((long) experts, (long) columns, (long) rows);
    int stack = Math.max(1, experts);
    ByteArrayOutputStream found = new ByteArrayOutputStream();
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix all = FloatMatrix.allocate(arena, stack * rows, columns);
      Random random = new Random(1);
      for (int i = 0; i < all.elements(); i++) {
        // Few enough bits for every type.
        all.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (random.nextInt(256) - 128) / 8f);
      }
      try (TurnedTensor turned =
          new TurnedTensor(
              folder,
              new Entry("w", dtype, shape),
              new WeightEncoder(arena),
              bytes -> found.writeBytes(bytes.toArray(ValueLayout.JAVA_BYTE)))) {
        for (int row = 0; row < stack * rows; row += piece) {
          turned.put(row, all.slice(row, Math.min(piece, stack * rows - row)));
        }
      }
      ByteBuffer bytes = ByteBuffer.wrap(found.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
      assertThat(bytes.capacity()).isEqualTo(all.elements() * dtype.bytes());
      for (int expert = 0; expert < stack; expert++) {
        for (int column = 0; column < columns; column++) {
          for (int row = 0; row < rows; row++) {
            double value = value(bytes, dtype, (expert * columns + column) * rows + row);
            if (value != all.get(expert * rows + row, column)) {
              assertThat(value)
                  .as("%d %d %d", expert, row, column)
                  .isEqualTo(all.get(expert * rows + row, column));
            }
          }
        }
      }
    }
    assertThat(folder).isEmptyDirectory();
  }

  private static double value(ByteBuffer bytes, Dtype dtype, int index) {
    return switch (dtype) {
      case BF16 -> Float.intBitsToFloat(bytes.getShort(index * 2) << 16);
      case F16 -> Float.float16ToFloat(bytes.getShort(index * 2));
      case F32 -> bytes.getFloat(index * 4);
      default -> bytes.getDouble(index * 8);
    };
  }

  @Test
  void weightsThatDoNotFitAreNamedByRowAndColumnOfTheMatrix() {
    try (Arena arena = Arena.ofConfined();
        TurnedTensor turned =
            new TurnedTensor(
                folder,
                new Entry("w", Dtype.F16, List.of(4L, 3L)),
                new WeightEncoder(arena),
                bytes -> {})) {
      FloatMatrix weights = FloatMatrix.allocate(arena, 3, 4);
      weights.set(2, 1, 1e6f);
      assertThatThrownBy(() -> turned.put(0, weights))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("tensor w, row 2, column 1: the weight 1000000");
    }
    assertThat(folder).isEmptyDirectory();
  }
}
