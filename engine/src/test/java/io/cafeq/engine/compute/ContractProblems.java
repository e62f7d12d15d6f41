package io.cafeq.engine.compute;

import io.cafeq.config.PairLoss;
import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.PairProblem.Factor;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * The seeded problems that every learner and backend has to solve.
 *
 * @param arena that owns the weights
 */
record ContractProblems(Arena arena) {
  /** Channels of a head. */
  static final int HEAD = 16;

  /** Names for {@link #blocks}: groups within tiles, across tiles, of whole rows; uneven blocks. */
  static Stream<String> names() {
    return Stream.of(
        "rows whole",
        "rows long groups",
        "rows groups",
        "rows small block",
        "rows long in small blocks",
        "rows transposed",
        "stripe one block",
        "stripe part groups",
        "stripe many blocks",
        "stripe uneven blocks",
        "stripe tail",
        "rows long groups weighted",
        "rows groups weighted",
        "rows transposed in a metric",
        "stripe part groups in a metric",
        "stripe tail in a metric");
  }

  LearnProblem blocks(String name) {
    return switch (name) {
      case "rows whole" -> new LearnProblem.Rows(weights(32, 1500, 1), 0, false, false, false);
      case "rows long groups" ->
          new LearnProblem.Rows(weights(16, 2400, 2), 1200, false, false, false);
      case "rows groups" -> new LearnProblem.Rows(weights(32, 960, 3), 96, false, false, false);
      case "rows small block" -> new LearnProblem.Rows(weights(8, 700, 4), 28, true, false, false);
      case "rows long in small blocks" ->
          new LearnProblem.Rows(weights(8, 20011, 11), 0, false, false, false);
      case "rows transposed" -> new LearnProblem.Rows(weights(900, 16, 5), 0, false, true, true);
      case "stripe one block" ->
          new LearnProblem.Stripe(weights(700, 32, 6), List.of(32), 32, true);
      case "stripe part groups" ->
          new LearnProblem.Stripe(weights(700, 32, 7), List.of(32), 8, false);
      case "stripe many blocks" ->
          new LearnProblem.Stripe(weights(300, 64, 8), List.of(16, 16, 16, 16), 64, true);
      case "stripe uneven blocks" ->
          new LearnProblem.Stripe(weights(300, 96, 9), List.of(32, 32, 32), 48, true);
      case "stripe tail" -> new LearnProblem.Stripe(weights(130, 24, 10), List.of(16, 8), 24, true);
      case "rows long groups weighted" ->
          ((LearnProblem.Rows) blocks("rows long groups")).weighted(new double[] {0.3, 1.7});
      case "rows groups weighted" ->
          ((LearnProblem.Rows) blocks("rows groups"))
              .weighted(new double[] {0.1, 2, 0.9, 4, 0, 0.5, 0.5, 1, 0.5, 0.5});
      case "rows transposed in a metric" ->
          ((LearnProblem.Rows) blocks("rows transposed")).in(uneven(16));
      case "stripe part groups in a metric" ->
          new LearnProblem.Stripe(weights(700, 32, 7), List.of(32), 8, false, uneven(32));
      case "stripe tail in a metric" ->
          new LearnProblem.Stripe(weights(130, 24, 10), List.of(16, 8), 24, true, uneven(16, 8));
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static ChannelMetric uneven(int... sizes) {
    return UnevenMetric.of(Arrays.stream(sizes).boxed().toList(), 61);
  }

  /** Near rotations, one for each block. */
  static List<double[]> starts(LearnProblem problem) {
    List<double[]> starts = new ArrayList<>();
    for (int k : problem.blocks()) {
      starts.add(skewed(Orthogonal.rotation(k, starts.size()), 0.02, k));
    }
    return starts;
  }

  PairProblem pair(PairLoss loss, Side side, int leftGroup, int rightGroup, double orthogonality) {
    FloatMatrix left = pairWeights(HEAD, 1500, 1);
    FloatMatrix right = side == Side.INPUT ? pairWeights(300, HEAD, 2) : pairWeights(HEAD, 780, 2);
    return new PairProblem(
        new Factor(left, Side.OUTPUT, leftGroup, false),
        new Factor(right, side, rightGroup, true),
        loss,
        5,
        orthogonality);
  }

  /** Near a rotation, for a pair. */
  static double[] start() {
    return skewed(Orthogonal.rotation(HEAD, 3), 0.05, 4);
  }

  static double[] skewed(double[] m, double size, long seed) {
    double[] noise = Seeds.gaussians(new SplittableRandom(seed), m.length);
    for (int i = 0; i < m.length; i++) {
      m[i] += size * noise[i];
    }
    return m;
  }

  /** Columns of uneven size. */
  FloatMatrix weights(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    double[] scales = Seeds.gaussians(new SplittableRandom(seed + 100), columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.02 * Math.exp(0.3 * scales[i % columns]);
    }
    return Golden.matrix(arena, values, rows, columns);
  }

  /** Rows and columns of uneven size. */
  private FloatMatrix pairWeights(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    double[] scales = Seeds.gaussians(new SplittableRandom(seed + 100), rows + columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.02 * Math.exp(0.3 * scales[i % columns] + 0.3 * scales[columns + i / columns]);
    }
    return Golden.matrix(arena, values, rows, columns);
  }
}
