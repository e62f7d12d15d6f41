package io.cafeq.tools.reproduce;

import io.cafeq.config.PairLoss;
import io.cafeq.config.PairOptimizer;
import io.cafeq.config.PairRounding;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.tools.reproduce.PairSet.Axis;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Table 8: the relative error of the product by the paper's losses, optimizers and weights of
 * orthogonality.
 */
public final class TableEight implements PaperTable {
  private static final int STEPS = 2000;

  private final Learner learner;
  private final ComputeLane lane;
  private final long seed;
  private final StopFlag stop;

  /** Borrows the lane. */
  public TableEight(Learner learner, ComputeLane lane, long seed, StopFlag stop) {
    this.learner = learner;
    this.lane = lane;
    this.seed = seed;
    this.stop = stop;
  }

  /** One row of the paper's table. */
  private record Row(PairLoss loss, PairOptimizer optimizer, double orthogonality, double paper) {
    private String name() {
      return switch (optimizer) {
        case ADAM ->
            String.format(Locale.ROOT, "%s, Adam, lambda %s", loss.text(), number(orthogonality));
        case CAYLEY -> loss.text() + ", Cayley SGD";
      };
    }

    private static String number(double value) {
      return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }

    private List<Double> rates() {
      return switch (optimizer) {
        case ADAM -> List.of(.001, .003);
        case CAYLEY -> List.of(.01, .1);
      };
    }
  }

  private static List<Row> rows() {
    return List.of(
        new Row(PairLoss.WEIGHTED_SUM_OF_SQUARES, PairOptimizer.ADAM, 0, .110),
        new Row(PairLoss.WEIGHTED_SUM_OF_SQUARES, PairOptimizer.ADAM, .01, .166),
        new Row(PairLoss.WEIGHTED_SUM_OF_SQUARES, PairOptimizer.ADAM, .1, .185),
        new Row(PairLoss.WEIGHTED_SUM_OF_SQUARES, PairOptimizer.ADAM, 1, .200),
        new Row(PairLoss.LOG_SUM_EXP, PairOptimizer.ADAM, 0, .120),
        new Row(PairLoss.LOG_SUM_EXP, PairOptimizer.ADAM, .01, .118),
        new Row(PairLoss.LOG_SUM_EXP, PairOptimizer.ADAM, .1, .118),
        new Row(PairLoss.LOG_SUM_EXP, PairOptimizer.ADAM, 1, .120),
        new Row(PairLoss.SUM_OF_SQUARES, PairOptimizer.ADAM, 0, .639),
        new Row(PairLoss.SUM_OF_SQUARES, PairOptimizer.ADAM, .01, .261),
        new Row(PairLoss.SUM_OF_SQUARES, PairOptimizer.ADAM, .1, .255),
        new Row(PairLoss.SUM_OF_SQUARES, PairOptimizer.ADAM, 1, .462),
        new Row(PairLoss.WEIGHTED_SUM_OF_SQUARES, PairOptimizer.CAYLEY, 0, .134),
        new Row(PairLoss.LOG_SUM_EXP, PairOptimizer.CAYLEY, 0, .142),
        new Row(PairLoss.SUM_OF_SQUARES, PairOptimizer.CAYLEY, 0, .152));
  }

  @Override
  public String description() {
    return """
    Table 8: relative error of the product of values and outputs (PQE) by loss and optimizer, 4 bits, Algorithm 1
    The paper: the mean over the layers of Gemma 2 2B, 100,000 steps, rates from 1e-4 to 1. Measured: the anisotropic
    seeded weights (one head of 128, 1024 x 1024), 2,000 steps, the better of rates .001 and .003 (Adam) or .01 and .1
    (Cayley SGD), factors of unit RMS, the best M by its loss. The paper's spread between losses and its effect of the
    orthogonality weight do not appear on these weights with so few steps and with the best M kept.
    Each row on the paper's axis for the values (a grid for each input column) and on the serving axis.
    """
        .stripTrailing();
  }

  @Override
  public List<Reproduced> run(Consumer<Reproduced> each) {
    List<Reproduced> figures = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      PairTrial trial = new PairTrial(learner, lane, PairSet.anisotropic(arena, seed), seed, stop);
      for (Row row : rows()) {
        List<double[]> learned =
            row.rates().stream()
                .map(rate -> trial.paper(row.loss, row.optimizer, row.orthogonality, STEPS, rate))
                .toList();
        for (Axis axis : List.of(Axis.PAPER, Axis.SERVING)) {
          double least =
              learned.stream()
                  .mapToDouble(m -> trial.error(axis, m, PairRounding.ALGORITHM_1, false))
                  .min()
                  .orElseThrow();
          Reproduced figure = new Reproduced(axis.text() + ", " + row.name(), row.paper, least);
          figures.add(figure);
          each.accept(figure);
        }
      }
    }
    return figures;
  }
}
