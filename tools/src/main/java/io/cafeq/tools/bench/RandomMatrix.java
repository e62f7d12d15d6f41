package io.cafeq.tools.bench;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;

/** Gaussian weights to measure with. */
final class RandomMatrix {
  private RandomMatrix() {}

  static FloatMatrix of(Arena arena, int rows, int columns, int seed) {
    FloatMatrix matrix = FloatMatrix.allocate(arena, rows, columns);
    SplittableRandom source = new SplittableRandom(seed);
    for (int row = 0; row < rows; row++) {
      double[] values = Seeds.gaussians(source, columns);
      for (int column = 0; column < columns; column++) {
        matrix.set(row, column, (float) values[column]);
      }
    }
    return matrix;
  }
}
