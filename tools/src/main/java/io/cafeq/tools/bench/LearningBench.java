package io.cafeq.tools.bench;

import io.cafeq.config.Loss;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;

/**
 * The whole learner, all lanes at once, in GFLOP/s of its two products a step (4 k n k operations):
 * W given, M out, with the tiles made, 100 steps taken and the best block kept. The limit is the
 * best square product of 2048 by the same library, one thread a lane, all lanes at once.
 */
public final class LearningBench {
  private static final int PRODUCT = 2048;
  private static final int STEPS = 100;

  /** Columns of the output side's blocks and rows of the input side's: Table 1's. */
  private static final int LENGTH = 9216;

  private final BenchLanes lanes;
  private final int runs;
  private final StopFlag stop;

  /**
   * @param runs how often each figure is taken; the best counts
   */
  public LearningBench(Compute compute, int lanes, int runs, StopFlag stop) {
    this.lanes = new BenchLanes(compute, lanes);
    this.runs = runs;
    this.stop = stop;
  }

  /** The output side, groups of 128. */
  public Measured outputSide(int k, double limit) {
    return measure(
        "learn_k" + k,
        k,
        k,
        LENGTH,
        limit,
        weights -> new LearnProblem.Rows(weights, 128, false, false, false));
  }

  /** The input side, groups of k. */
  public Measured inputSide(int k, double limit) {
    return measure(
        "learn_input_k" + k,
        k,
        LENGTH,
        k,
        limit,
        weights -> new LearnProblem.Stripe(weights, List.of(k), k, true));
  }

  /** GFLOP/s of all lanes together. */
  public double limit() {
    double best = 0;
    for (int run = 0; run < runs; run++) {
      stop.check();
      List<Double> seconds = lanes.run((lane, at) -> lane.secondsOfProduct(PRODUCT));
      double rate =
          seconds.stream().mapToDouble(s -> 2.0 * PRODUCT * PRODUCT * PRODUCT / s / 1e9).sum();
      best = Math.max(best, rate);
    }
    return best;
  }

  private Measured measure(
      String name,
      int k,
      int rows,
      int columns,
      double limit,
      Function<FloatMatrix, LearnProblem> problem) {
    double best = 0;
    for (int run = 0; run < runs; run++) {
      List<Double> seconds =
          lanes.run(
              (lane, at) -> {
                try (Arena arena = Arena.ofConfined()) {
                  FloatMatrix weights = FloatMatrix.allocate(arena, rows, columns);
                  double[] values = Seeds.gaussians(new SplittableRandom(at), rows * columns);
                  for (int i = 0; i < values.length; i++) {
                    weights.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
                  }
                  double[] start = Orthogonal.rotation(k, at);
                  long begin = System.nanoTime();
                  lanes
                      .compute()
                      .learner()
                      .learn(
                          LearningTask.of(
                              problem.apply(weights), List.of(start), Loss.P_NORM, STEPS),
                          stop);
                  return (System.nanoTime() - begin) / 1e9;
                }
              });
      double rate =
          seconds.stream().mapToDouble(s -> 4.0 * k * rows * columns * STEPS / s / 1e9).sum();
      best = Math.max(best, rate);
    }
    return Measured.of(name, best, "GFLOP/s", limit);
  }
}
