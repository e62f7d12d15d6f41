package io.cafeq.engine.quantize;

import io.cafeq.config.Loss;
import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;

/**
 * How fast one lane of a backend works on this machine, from about a second of real work on random
 * weights. For estimates only: nothing that is written depends on it.
 *
 * @param learningOperationsPerSecond as {@link UnitEstimate#learningOperations} counts them
 * @param roundedWeightsPerSecond weights that go through one clipping search and rounding
 */
public record Speed(double learningOperationsPerSecond, double roundedWeightsPerSecond) {
  private static final int BLOCK = 128;
  private static final int COLUMNS = 1024;

  /** Of one learned block. */
  private static final int STEPS = 10;

  private static final GridSpec GRID = new GridSpec(4, BLOCK, ScaleStorage.ZERO_POINT, 8, true);
  private static final long WARM_UP = TimeUnit.MILLISECONDS.toNanos(300);
  private static final long MEASURED = TimeUnit.MILLISECONDS.toNanos(300);

  /**
   * A learned unit is also rounded plainly, with and without clipping, and in smaller groups, to
   * compare.
   */
  private static final int PASSES_OF_LEARNED_UNITS = 4;

  /** Works for about a second on the calling thread. */
  public static Speed measure(Compute compute) {
    try (Arena arena = Arena.ofConfined();
        ComputeLane lane = compute.backend().openLane()) {
      FloatMatrix weights = randomWeights(arena);
      LearningTask task =
          LearningTask.of(
              new LearnProblem.Rows(weights, BLOCK, false, false, false),
              List.of(SquareMatrices.identity(BLOCK)),
              Loss.P_NORM,
              STEPS);
      StopFlag stop = new StopFlag();
      double learning =
          perSecond(() -> compute.learner().learn(task, stop))
              * (4.0 * BLOCK * BLOCK * COLUMNS * STEPS);
      SlabBuffers buffers = new SlabBuffers(arena, GRID, BLOCK, COLUMNS);
      SlabTransforms none = new SlabTransforms.None();
      RoundingRule nearest = new RoundingRule.Nearest();
      double rounding =
          perSecond(
                  () ->
                      lane.encoder()
                          .encode(weights, GRID, none, InputMetric.NONE, nearest, buffers))
              * BLOCK
              * COLUMNS;
      return new Speed(learning, rounding);
    }
  }

  /** Time that {@code lanes} lanes take for a plan, without that of reading and writing. */
  public double seconds(Plan plan, int lanes) {
    double seconds = 0;
    for (Unit unit : plan.units()) {
      seconds +=
          switch (unit) {
            case Unit.Quantized quantized -> seconds(UnitEstimate.of(quantized));
            case Unit.Copied copied -> 0;
          };
    }
    return seconds / lanes;
  }

  private double seconds(UnitEstimate unit) {
    int passes = unit.learningOperations() > 0 ? PASSES_OF_LEARNED_UNITS : 1;
    return unit.learningOperations() / learningOperationsPerSecond
        + passes * unit.weights() / roundedWeightsPerSecond;
  }

  private static double perSecond(Runnable work) {
    repeat(work, WARM_UP);
    long started = System.nanoTime();
    int times = repeat(work, MEASURED);
    return times / ((System.nanoTime() - started) / (double) TimeUnit.SECONDS.toNanos(1));
  }

  private static int repeat(Runnable work, long nanos) {
    long started = System.nanoTime();
    int times = 0;
    do {
      work.run();
      times++;
    } while (System.nanoTime() - started < nanos);
    return times;
  }

  private static FloatMatrix randomWeights(Arena arena) {
    SplittableRandom random = new SplittableRandom(0);
    FloatMatrix weights = FloatMatrix.allocate(arena, BLOCK, COLUMNS);
    for (int row = 0; row < BLOCK; row++) {
      for (int column = 0; column < COLUMNS; column++) {
        weights.set(row, column, (float) random.nextGaussian());
      }
    }
    return weights;
  }
}
