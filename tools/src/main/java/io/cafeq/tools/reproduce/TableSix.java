package io.cafeq.tools.reproduce;

import io.cafeq.config.PairLoss;
import io.cafeq.config.PairOptimizer;
import io.cafeq.config.PairRounding;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.tools.reproduce.PairSet.Axis;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Table 6: the relative error of the product of values and outputs, by what is learned and how it
 * is rounded.
 */
public final class TableSix implements PaperTable {
  /**
   * The rate is constant, and learning bounces around its end by about as much. On the anisotropic
   * weights a rate of .003 gives a figure that moves by 4 % with the kernel of the CPU, .01 one
   * that moves by 8 %, .001 a lower one that moves by 0.1 %. The student weights take .003 and move
   * by 0.4 %.
   */
  private static final List<Double> RATES = List.of(.001, .003);

  private static final int STEPS = 1500;

  /** About what this program takes by default. */
  private static final int FEW_STEPS = 200;

  private final Learner learner;
  private final ComputeLane lane;
  private final long seed;
  private final StopFlag stop;

  /** Borrows the lane. */
  public TableSix(Learner learner, ComputeLane lane, long seed, StopFlag stop) {
    this.learner = learner;
    this.lane = lane;
    this.seed = seed;
    this.stop = stop;
  }

  @Override
  public String description() {
    return """
    Table 6: relative error of the product of values and outputs (PQE), 4 bits, one head of 128, 1024 x 1024
    The paper: Gemma 2 2B, values with a grid for each input column. Measured: seeded weights, on that axis and on the
    serving axis (a grid for each output channel); scales and minimums are f16. LogSumExp: t = 5 on factors of unit RMS,
    Adam with first decay 0.1, 1,500 steps (the paper: 100,000), the better of rates .001 and .003 for each figure.
    Expected error: as many steps, and 200, which is nearer to what this program takes by default. Rounding in turns: 3
    rounds, the best half step. Nearest plane is on clipped grids, the rest on grids from minimum to maximum. The paper
    has no figure for the expected error or nearest plane.
    """
        .stripTrailing();
  }

  @Override
  public List<Reproduced> run(Consumer<Reproduced> each) {
    List<Reproduced> figures = new ArrayList<>();
    Consumer<Reproduced> keep =
        figure -> {
          figures.add(figure);
          each.accept(figure);
        };
    try (Arena arena = Arena.ofConfined()) {
      for (PairSet set : List.of(PairSet.student(arena, seed), PairSet.anisotropic(arena, seed))) {
        new Rows(new PairTrial(learner, lane, set, seed, stop), set.name(), keep).all();
      }
    }
    return figures;
  }

  /** All figures of one set. */
  private record Rows(PairTrial trial, String set, Consumer<Reproduced> keep) {
    private void all() {
      List<double[]> none = List.of(SquareMatrices.identity(PairSet.HEAD));
      List<double[]> rotation = List.of(trial.rotation());
      List<double[]> logSumExp =
          RATES.stream()
              .map(rate -> trial.paper(PairLoss.LOG_SUM_EXP, PairOptimizer.ADAM, 0, STEPS, rate))
              .toList();
      for (Axis axis : List.of(Axis.SERVING, Axis.PAPER)) {
        List<double[]> expected = List.of(trial.expectedError(axis, STEPS));
        List<double[]> fewSteps = List.of(trial.expectedError(axis, FEW_STEPS));
        row(axis, "none", .182, none, PairRounding.NEAREST);
        row(axis, "random rotation", .179, rotation, PairRounding.NEAREST);
        row(axis, "LogSumExp", .149, logSumExp, PairRounding.NEAREST);
        row(axis, "expected error", null, expected, PairRounding.NEAREST);
        row(axis, "LogSumExp + Algorithm 1", .117, logSumExp, PairRounding.ALGORITHM_1);
        row(axis, "expected error + Algorithm 1", null, expected, PairRounding.ALGORITHM_1);
        row(
            axis,
            "LogSumExp + nearest plane + clipping",
            null,
            logSumExp,
            PairRounding.NEAREST_PLANE);
        row(
            axis,
            "expected error + nearest plane + clipping",
            null,
            expected,
            PairRounding.NEAREST_PLANE);
        row(
            axis,
            "expected error (200 steps) + nearest plane + clipping",
            null,
            fewSteps,
            PairRounding.NEAREST_PLANE);
      }
    }

    /** The least error of several transforms. */
    private void row(
        Axis axis, String name, @Nullable Double paper, List<double[]> ms, PairRounding method) {
      double least =
          ms.stream()
              .mapToDouble(m -> trial.error(axis, m, method, method == PairRounding.NEAREST_PLANE))
              .min()
              .orElseThrow();
      keep.accept(new Reproduced(set + ", " + axis.text() + ", " + name, paper, least));
    }
  }
}
