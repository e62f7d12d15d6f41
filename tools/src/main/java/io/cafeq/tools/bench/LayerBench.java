package io.cafeq.tools.bench;

import io.cafeq.config.Loss;
import io.cafeq.config.PairLoss;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairLearner;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.IntFunction;

/**
 * Learning the value-output pair of a layer of 4096 channels (8 key-value heads of 128 channels,
 * each with 4 query heads; 200 steps), and beside it learning the gate and up projections of the
 * same layer (2 x 14336 rows, input side, k = 128; 100 steps). One head and one stripe are
 * measured, with a tenth of the steps; learning without a step is measured by itself and not
 * multiplied by steps. Operations are counted as in {@link LearningBench}: two products a step with
 * all the weights.
 */
public final class LayerBench {
  private static final int CHANNELS = 4096;
  private static final int SIZE = 128;
  private static final int HEADS = 8;
  private static final int QUERY_HEADS = 4;
  private static final int PAIR_STEPS = 200;
  private static final int GATE_AND_UP_ROWS = 2 * 14336;
  private static final int STRIPES = CHANNELS / SIZE;
  private static final int STRIPE_STEPS = 100;

  /** Steps that are made of each hundred. */
  private static final int SHARE = 10;

  private final BenchLanes lanes;
  private final int runs;
  private final StopFlag stop;

  /**
   * @param runs how often each figure is taken; the best counts
   */
  public LayerBench(Compute compute, int lanes, int runs, StopFlag stop) {
    this.lanes = new BenchLanes(compute, lanes);
    this.runs = runs;
    this.stop = stop;
  }

  /** Seconds of setting one part up, and of its measured steps. */
  private record Times(double setUp, double steps) {
    double layer(int parts) {
      return parts * (setUp + steps * SHARE);
    }
  }

  private interface Part {
    Times learn(Arena arena, int index);
  }

  public Measured valueOutput(double limit) {
    long weights = (long) SIZE * CHANNELS * (1 + QUERY_HEADS);
    return best("learn_value_output", HEADS, "head", PAIR_STEPS, weights, limit, this::head);
  }

  public Measured gateAndUp(double limit) {
    long weights = (long) SIZE * GATE_AND_UP_ROWS;
    return best("learn_gate_up", STRIPES, "stripe", STRIPE_STEPS, weights, limit, this::stripe);
  }

  private Measured best(
      String name, int parts, String part, int steps, long weights, double limit, Part work) {
    double seconds = Double.POSITIVE_INFINITY;
    for (int run = 0; run < runs; run++) {
      double mean =
          lanes
              .run(
                  (lane, index) -> {
                    try (Arena arena = Arena.ofConfined()) {
                      return work.learn(arena, index).layer(parts);
                    }
                  })
              .stream()
              .mapToDouble(x -> x)
              .average()
              .orElseThrow();
      seconds = Math.min(seconds, mean);
    }
    double rate = lanes.count() * 4.0 * SIZE * weights * steps * parts / seconds / 1e9;
    String measured =
        String.format(
            Locale.ROOT, "1 of %d %ss, %d of %d steps", parts, part, steps / SHARE, steps);
    return Measured.of(name, rate, "GFLOP/s", limit).with(new Measured.Layer(seconds, measured));
  }

  private Times head(Arena arena, int index) {
    FloatMatrix values = random(arena, SIZE, CHANNELS, 2 * index);
    FloatMatrix outputs = random(arena, QUERY_HEADS * CHANNELS, SIZE, 2 * index + 1);
    PairProblem problem =
        new PairProblem(
            new PairProblem.Factor(values, Side.OUTPUT, 128, true),
            new PairProblem.Factor(outputs, Side.INPUT, 128, true),
            PairLoss.EXPECTED_ERROR,
            1,
            0);
    double[] start = Orthogonal.rotation(SIZE, index);
    return times(
        PAIR_STEPS / SHARE,
        steps ->
            LearningTask.of(
                problem, start, PairLearner.Schedule.falling(steps, 0.1 / Math.sqrt(SIZE))));
  }

  private Times stripe(Arena arena, int index) {
    FloatMatrix weights = random(arena, GATE_AND_UP_ROWS, SIZE, index);
    LearnProblem problem = new LearnProblem.Stripe(weights, List.of(SIZE), SIZE, true);
    double[] start = Orthogonal.rotation(SIZE, index);
    return times(
        STRIPE_STEPS / SHARE,
        steps -> LearningTask.of(problem, List.of(start), Loss.P_NORM, steps));
  }

  private Times times(int steps, IntFunction<LearningTask> task) {
    double setUp = seconds(task.apply(0));
    return new Times(setUp, Math.max(0, seconds(task.apply(steps)) - setUp));
  }

  private double seconds(LearningTask task) {
    long begin = System.nanoTime();
    lanes.compute().learner().learn(task, stop);
    return (System.nanoTime() - begin) / 1e9;
  }

  private static FloatMatrix random(Arena arena, int rows, int columns, int seed) {
    FloatMatrix matrix = FloatMatrix.allocate(arena, rows, columns);
    SplittableRandom source = new SplittableRandom(seed);
    for (int row = 0; row < rows; row++) {
      double[] values = Seeds.gaussians(source, columns);
      for (int i = 0; i < columns; i++) {
        matrix
            .segment()
            .setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + i, (float) values[i]);
      }
    }
    return matrix;
  }
}
