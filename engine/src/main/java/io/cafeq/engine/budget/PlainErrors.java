package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Relative squared errors of plain rounding on a sample of a matrix's rows: one at random from each of equal ranges of rows.
 *
 * @param relative squared error over squared norm, for each grid that was asked for
 * @param squaredNorm of the whole matrix, as the sample has it
 */
record PlainErrors(Map<GridSpec, Double> relative, double squaredNorm) {
  /** A sixteenth of the matrix within these bounds: more is dear in small models, less is noise. */
  private static final int FEWEST_WEIGHTS = 1 << 14;
  private static final int MOST_WEIGHTS = 1 << 17;
  private static final int FEWEST_ROWS = 16;

  static PlainErrors measure(
      Matrix matrix, List<GridSpec> grids, long seed, SlabEncoder encoder, TensorReader reader) {
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix sample = sample(matrix, seed, reader, arena);
      double norm = squaredNorm(sample);
      Map<GridSpec, Double> relative = new LinkedHashMap<>();
      for (GridSpec grid : grids) {
        relative.put(grid, norm == 0 ? 0 : encoder.plainError(sample, grid) / norm);
      }
      return new PlainErrors(relative, norm * matrix.rows() / sample.rows());
    }
  }

  double of(GridSpec grid) {
    Double error = relative.get(grid);
    if (error == null) {
      throw new IllegalArgumentException("not measured: " + grid);
    }
    return error;
  }

  /** Native bytes that a measurement takes at most. */
  static long memoryNeeded(Matrix matrix) {
    return (long) rows(matrix) * matrix.columns() * Float.BYTES;
  }

  private static int rows(Matrix matrix) {
    long weights = Math.clamp(matrix.weights() / 64, FEWEST_WEIGHTS, MOST_WEIGHTS);
    return (int) Math.min(matrix.rows(), Math.max(FEWEST_ROWS, weights / matrix.columns()));
  }

  private static FloatMatrix sample(Matrix matrix, long seed, TensorReader reader, Arena arena) {
    int rows = rows(matrix);
    FloatMatrix sample = FloatMatrix.allocate(arena, rows, matrix.columns());
    SplittableRandom random = new SplittableRandom(Seeds.of(seed, matrix.name(), 0, "budget-rows"));
    for (int i = 0; i < rows; i++) {
      int first = (int) ((long) i * matrix.rows() / rows);
      int end = (int) ((i + 1L) * matrix.rows() / rows);
      matrix.read(reader, first + random.nextInt(end - first), 0, sample.slice(i, 1));
    }
    return sample;
  }

  static double squaredNorm(FloatMatrix matrix) {
    double sum = 0;
    for (int row = 0; row < matrix.rows(); row++) {
      for (int column = 0; column < matrix.columns(); column++) {
        double value = matrix.get(row, column);
        sum += value * value;
      }
    }
    return sum;
  }
}
