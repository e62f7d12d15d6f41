package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Relative squared errors of round-to-nearest (RTN) on a sample of a piece's rows: one at random
 * from each of equal ranges of rows. Where the piece's inputs are known, these are errors of the
 * outputs, rounded by the recipe's rule in the metric of the inputs.
 */
final class PlainErrors {
  /** Bounds of the sample: more is slow on small models, less is noise. */
  private static final int FEWEST_WEIGHTS = 1 << 14;

  private static final int MOST_WEIGHTS = 1 << 17;
  private static final int SAMPLED_PART = 64;
  private static final int FEWEST_ROWS = 16;

  /** Consecutive rows where single ones are slow to read. */
  private static final int TOGETHER = 16;

  private final long weights;
  private final Grids grids;
  private final double[] relative;

  private PlainErrors(long weights, Grids grids, double[] relative) {
    this.weights = weights;
    this.grids = grids;
    this.relative = relative;
  }

  /** The grids that are measured, each with its place. Shared by all pieces that have the same. */
  record Grids(Map<GridSpec, Integer> places) {
    static Grids of(List<GridSpec> grids) {
      Map<GridSpec, Integer> places = new LinkedHashMap<>();
      grids.forEach(grid -> places.putIfAbsent(grid, places.size()));
      return new Grids(places);
    }
  }

  static PlainErrors measure(
      Piece piece,
      Grids grids,
      Recipe recipe,
      PieceInputs inputs,
      ComputeLane lane,
      TensorReader reader) {
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix sample = sample(piece, recipe.seed(), reader, arena);
      Relative relative =
          inputs
              .moments(piece, arena)
              .map(
                  moments -> {
                    PieceInputs.scale(piece, sample, moments);
                    return InputMetric.of(moments, 0, lane.products(), arena);
                  })
              .map(
                  metric ->
                      ofOutputs(sample, metric, GridCandidates.plainRule(recipe), lane.encoder()))
              .orElseGet(() -> ofWeights(sample, lane.encoder()));
      double[] errors = new double[grids.places().size()];
      grids.places().forEach((grid, place) -> errors[place] = relative.of(grid));
      return new PlainErrors(piece.weights(), grids, errors);
    }
  }

  private interface Relative {
    double of(GridSpec grid);
  }

  private static Relative ofWeights(FloatMatrix sample, SlabEncoder encoder) {
    double norm = squaredNorm(sample);
    return grid ->
        norm == 0 ? 0 : encoder.plainError(sample, grid, InputMetric.NONE).squared() / norm;
  }

  private static Relative ofOutputs(
      FloatMatrix sample, InputMetric metric, RoundingRule rule, SlabEncoder encoder) {
    return grid -> {
      try (Arena arena = Arena.ofConfined()) {
        SlabBuffers buffers = new SlabBuffers(arena, grid, sample.rows(), sample.columns());
        EncodedSlab slab =
            encoder.encode(sample, grid, new SlabTransforms.None(), metric, rule, buffers);
        return slab.outputNorm() > 0 ? slab.outputError() / slab.outputNorm() : 0;
      }
    };
  }

  /** Of some pieces together, weights times relative squared error. */
  static double sum(List<PlainErrors> pieces, GridSpec grid) {
    double sum = 0;
    for (PlainErrors errors : pieces) {
      sum += errors.weights * errors.of(grid);
    }
    return sum;
  }

  double of(GridSpec grid) {
    Integer place = grids.places().get(grid);
    if (place == null) {
      throw new IllegalArgumentException("not measured: " + grid);
    }
    return relative[place];
  }

  /** Native bytes that a measurement takes at most. */
  static long memoryNeeded(Piece piece, PieceInputs inputs) {
    long sample = (long) rows(piece) * piece.columns() * Float.BYTES;
    long moments = inputs.bytes(piece);
    return moments == 0 ? sample : 6 * sample + moments + metricBytes(moments, piece.columns());
  }

  private static long metricBytes(long moments, int columns) {
    return InputMetric.factorBytes(moments, columns, 0)
        + InputMetric.makingBytes(moments, columns, 0);
  }

  private static int rows(Piece piece) {
    long weights = Math.clamp(piece.weights() / SAMPLED_PART, FEWEST_WEIGHTS, MOST_WEIGHTS);
    return (int) Math.min(piece.rows(), Math.max(FEWEST_ROWS, weights / piece.columns()));
  }

  private static FloatMatrix sample(Piece piece, long seed, TensorReader reader, Arena arena) {
    int rows = rows(piece);
    int together = piece.isTransposed() ? Math.min(rows, TOGETHER) : 1;
    FloatMatrix sample = FloatMatrix.allocate(arena, rows, piece.columns());
    SplittableRandom random =
        new SplittableRandom(Seeds.of(seed, piece.name(), piece.firstRow(), "budget-rows"));
    for (int done = 0; done < rows; done += together) {
      int count = Math.min(together, rows - done);
      int first = (int) ((long) done * piece.rows() / rows);
      int end = (int) (((long) done + count) * piece.rows() / rows);
      piece.read(
          reader, first + random.nextInt(end - first - count + 1), 0, sample.slice(done, count));
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
