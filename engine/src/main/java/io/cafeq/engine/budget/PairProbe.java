package io.cafeq.engine.budget;

import io.cafeq.config.Method;
import io.cafeq.config.PairSettings;
import io.cafeq.config.Recipe;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.quantize.HeadStack;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.PairFactor;
import io.cafeq.engine.rounding.PairHeads;
import io.cafeq.engine.rounding.PairRounder;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairLearner;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;

/**
 * Measures what a pair gains on one of its heads: squared PQE over the sum of both factors'
 * relative squared errors by round-to-nearest (RTN) at the same bits and group sizes. An error in
 * either factor adds to the error of the product by about as much, so the gain serves each factor
 * by itself. Borrows lane and reader; not thread-safe.
 */
final class PairProbe {
  private static final int USUAL_GROUP = 64;
  private static final List<Integer> SIZES = List.of(32, 64, 128);

  private final Recipe recipe;
  private final Learner learner;
  private final ComputeLane lane;
  private final TensorReader reader;
  private final StopFlag stop;

  PairProbe(Recipe recipe, Learner learner, ComputeLane lane, TensorReader reader, StopFlag stop) {
    this.learner = learner;
    this.recipe = recipe;
    this.lane = lane;
    this.reader = reader;
    this.stop = stop;
  }

  /** Both factors of one head, as they are stored and as they are learned. */
  private record Factors(
      FloatMatrix left, FloatMatrix right, FloatMatrix stacked, Side rightSide) {}

  Gains measure(Cluster.Coupled pair) {
    long seed = Seeds.of(recipe.seed(), pair.left().name(), 0, "budget-pair");
    List<Coupling.Head> heads = pair.coupling().heads();
    Coupling.Head head = heads.get(new SplittableRandom(seed).nextInt(heads.size()));
    try (Arena arena = Arena.ofConfined()) {
      Factors factors = read(arena, pair, head);
      PairGrids left = PairGrids.left(pair, recipe);
      PairGrids right = PairGrids.right(pair, recipe);
      double[] m = transform(pair, factors, head, left, right, seed);
      Gains.Builder gains = new Gains.Builder();
      TreeSet<Integer> bits = new TreeSet<>(left.bits());
      bits.addAll(right.bits());
      for (int each : bits) {
        for (int size : SIZES) {
          measure(factors, head, m, left, right, each, size, gains);
        }
      }
      return gains.build();
    }
  }

  /**
   * Native bytes that a measurement takes at most: three copies of the factors, and slabs to round
   * them.
   */
  static long memoryNeeded(Cluster.Coupled pair) {
    Coupling.Head head = pair.coupling().heads().getFirst();
    long left = (long) head.size() * pair.left().weight().columns();
    long right =
        (long) head.size()
            * head.right().size()
            * switch (pair.coupling().kind()) {
              case VALUE_OUTPUT -> pair.right().weight().allRows();
              case QUERY_KEY -> pair.right().weight().columns();
            };
    return 3 * Float.BYTES * (left + 2 * right) + (32L << 20);
  }

  private Factors read(Arena arena, Cluster.Coupled pair, Coupling.Head head) {
    int h = head.size();
    int count = head.right().size();
    FloatMatrix left = FloatMatrix.allocate(arena, h, pair.left().weight().columns());
    reader.readFloats(pair.left().weight(), head.left(), 0, left);
    WeightTensor weight = pair.right().weight();
    FloatMatrix stacked = HeadStack.read(arena, reader, pair.coupling().kind(), weight, head, stop);
    return switch (pair.coupling().kind()) {
      case VALUE_OUTPUT -> {
        int rows = weight.allRows();
        FloatMatrix right = FloatMatrix.allocate(arena, rows, h * count);
        for (int i = 0; i < count; i++) {
          for (int row = 0; row < rows; row++) {
            long from = ((long) i * rows + row) * h;
            copy(stacked, from, right, (long) row * h * count + (long) i * h, h);
          }
        }
        yield new Factors(left, right, stacked, Side.INPUT);
      }
      case QUERY_KEY -> {
        int columns = weight.columns();
        FloatMatrix right = FloatMatrix.allocate(arena, h * count, columns);
        for (int i = 0; i < count; i++) {
          for (int row = 0; row < h; row++) {
            long from = ((long) row * count + i) * columns;
            copy(stacked, from, right, ((long) i * h + row) * columns, columns);
          }
        }
        yield new Factors(left, right, stacked, Side.OUTPUT);
      }
    };
  }

  private static void copy(FloatMatrix from, long first, FloatMatrix to, long target, int count) {
    MemorySegment.copy(
        from.segment(),
        Float.BYTES * first,
        to.segment(),
        Float.BYTES * target,
        (long) Float.BYTES * count);
  }

  private double[] transform(
      Cluster.Coupled pair,
      Factors factors,
      Coupling.Head head,
      PairGrids left,
      PairGrids right,
      long seed) {
    int h = head.size();
    double[] start = Orthogonal.rotation(h, seed);
    if (pair.leftSettings().method() != Method.CAFEQ) {
      return start;
    }
    PairSettings settings = recipe.pairs();
    int leftGroup = left.groupNear(USUAL_GROUP, factors.left().columns());
    int rightGroup = right.groupNear(USUAL_GROUP, factors.right().columns());
    PairProblem problem =
        new PairProblem(
            new PairProblem.Factor(
                factors.left(), Side.OUTPUT, leftGroup, left.storage().isSymmetric()),
            new PairProblem.Factor(
                factors.stacked(), factors.rightSide(), rightGroup, right.storage().isSymmetric()),
            settings.loss(),
            settings.temperature(),
            settings.orthogonality());
    return learner
        .learn(LearningTask.of(problem, start, PairLearner.Schedule.of(settings, h)), stop)
        .getFirst();
  }

  private void measure(
      Factors factors,
      Coupling.Head head,
      double[] m,
      PairGrids left,
      PairGrids right,
      int bits,
      int size,
      Gains.Builder gains) {
    int leftGroup = left.groupNear(size, factors.left().columns());
    int rightGroup = right.groupNear(size, factors.right().columns());
    GridSpec leftGrid = left.grid(bits, leftGroup);
    GridSpec rightGrid = right.grid(bits, rightGroup);
    PairHeads heads = new PairHeads(head.size(), Collections.nCopies(head.right().size(), 0));
    PairFactor leftFactor = PairFactor.of(factors.left(), Side.OUTPUT, head.size());
    PairFactor rightFactor = PairFactor.of(factors.right(), factors.rightSide(), head.size());
    double error =
        new PairRounder(leftFactor, rightFactor, heads, leftGrid, rightGrid, lane.encoder(), stop)
            .round(List.of(m), recipe.pairs().rounding(), recipe.pairs().iterations())
            .relativeError();
    double plain =
        relative(factors.left(), left.reference(bits, leftGroup))
            + relative(factors.right(), right.reference(bits, rightGroup));
    double ratio = plain > 0 ? error * error / plain : 1;
    gains.add(leftGrid, factors.left().columns(), ratio);
    gains.add(rightGrid, factors.right().columns(), ratio);
  }

  private double relative(FloatMatrix matrix, GridSpec grid) {
    double norm = PlainErrors.squaredNorm(matrix);
    return norm == 0
        ? 0
        : lane.encoder().plainError(matrix, grid, InputMetric.NONE).squared() / norm;
  }
}
