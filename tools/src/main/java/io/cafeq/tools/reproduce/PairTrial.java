package io.cafeq.tools.reproduce;

import io.cafeq.config.PairLoss;
import io.cafeq.config.PairOptimizer;
import io.cafeq.config.PairRounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.rounding.PairFactor;
import io.cafeq.engine.rounding.PairHeads;
import io.cafeq.engine.rounding.PairRounder;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairLearner.Schedule;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.PairProblem.Factor;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.tools.reproduce.PairSet.Axis;
import java.util.List;

/**
 * Learns and rounds one seeded pair at 4 bits, one grid for each row or column. Borrows the lane
 * and the set.
 */
final class PairTrial {
  private static final int BITS = 4;
  private static final int ITERATIONS = 3;
  private static final double TEMPERATURE = 5;

  private final Learner learner;
  private final ComputeLane lane;
  private final PairSet set;
  private final long seed;
  private final StopFlag stop;

  PairTrial(Learner learner, ComputeLane lane, PairSet set, long seed, StopFlag stop) {
    this.learner = learner;
    this.lane = lane;
    this.set = set;
    this.seed = seed;
    this.stop = stop;
  }

  double[] rotation() {
    return Orthogonal.rotation(PairSet.HEAD, Seeds.of(seed, set.name(), 0, "start"));
  }

  double[] expectedError(Axis axis, int steps) {
    Schedule schedule = Schedule.falling(steps, 0.1 / Math.sqrt(PairSet.HEAD));
    return learn(axis, PairLoss.EXPECTED_ERROR, 0, schedule);
  }

  /**
   * One of the paper's losses, which have one axis: the largest magnitude over the head at each
   * position.
   */
  double[] paper(
      PairLoss loss, PairOptimizer optimizer, double orthogonality, int steps, double rate) {
    return learn(Axis.PAPER, loss, orthogonality, Schedule.paper(optimizer, steps, rate));
  }

  private double[] learn(Axis axis, PairLoss loss, double orthogonality, Schedule schedule) {
    PairProblem problem =
        new PairProblem(
            new Factor(set.left(axis), axis.side(), 0, false),
            new Factor(set.outputs(), Side.INPUT, 0, false),
            loss,
            TEMPERATURE,
            orthogonality);
    return learner.learn(LearningTask.of(problem, rotation(), schedule), stop).getFirst();
  }

  /** PQE relative to the product, Eq. (5). */
  double error(Axis axis, double[] m, PairRounding method, boolean clip) {
    GridSpec grid = new GridSpec(BITS, 0, ScaleStorage.F16_MINIMUM, 8, clip);
    PairFactor left = PairFactor.of(set.left(axis), axis.side(), PairSet.HEAD);
    PairFactor right = PairFactor.of(set.outputs(), Side.INPUT, PairSet.HEAD);
    return new PairRounder(
            left, right, PairHeads.single(PairSet.HEAD), grid, grid, lane.encoder(), stop)
        .round(List.of(m), method, ITERATIONS)
        .relativeError();
  }
}
