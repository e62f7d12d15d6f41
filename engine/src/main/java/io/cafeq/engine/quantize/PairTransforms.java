package io.cafeq.engine.quantize;

import io.cafeq.config.PairSettings;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.Learning;
import io.cafeq.engine.compute.LearningShape;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.Magnitudes;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.transform.Gram;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairLearner;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

/** M of every head of a pair: learned, or a random rotation. Borrows the workplace. */
final class PairTransforms {
  /**
   * Of the mean range: a head of next to nothing needs no levels, and its map stays within floats.
   */
  private static final double LEAST_SHARE = 0x1p-40;

  private final Workplace place;
  private final Part.Pair pair;
  private final PairShape shape;
  private final PairTreatment treatment;
  private final int size;

  PairTransforms(Workplace place, Part.Pair pair, PairShape shape) {
    this.place = place;
    this.pair = pair;
    this.shape = shape;
    treatment = pair.treatment();
    size = shape.size();
  }

  List<double[]> unchanged() {
    return shape.heads().stream().map(head -> SquareMatrices.identity(size)).toList();
  }

  List<double[]> rotations() {
    return shape.heads().stream().map(this::rotation).toList();
  }

  private double[] rotation(Coupling.Head head) {
    String purpose = pair.coupling().kind().text() + "-pair";
    return Orthogonal.rotation(
        size, Seeds.of(treatment.seed(), pair.left().name(), head.left(), purpose));
  }

  /** Asks the learner for all heads. */
  Learning submit() {
    return place.learner().submit(shape.heads().stream().map(this::task).toList(), place.stop());
  }

  private LearningTask.Pair task(Coupling.Head head) {
    return new LearningTask.Pair(
        shape(pair, head),
        PairLearner.Schedule.of(treatment.settings(), size),
        arena -> new LearningTask.PairStart(problem(arena, head), rotation(head)));
  }

  /** Takes all heads from the learner, and gives each the size that both factors need. */
  List<double[]> learned(Learning learning, Progress progress) {
    List<double[]> all = new ArrayList<>();
    double[] ranges = new double[shape.heads().size()];
    for (int i = 0; i < shape.heads().size(); i++) {
      Coupling.Head head = shape.heads().get(i);
      double[] m = learning.next().blocks().getFirst();
      try (Arena arena = Arena.ofConfined()) {
        FloatMatrix left = left(arena, head);
        Magnitudes.normalise(left);
        scaleToLeft(m, left);
        if (rightGridSpansHeads()) {
          FloatMatrix right = right(arena, head).weights();
          int exponent = Magnitudes.normalise(right);
          ranges[i] = Math.scalb(range(right, SquareMatrices.invert(m, size)), exponent);
        }
      }
      all.add(m);
      progress.advanced(shape(pair, head).weights());
    }
    if (rightGridSpansHeads()) {
      balance(all, ranges);
    }
    return all;
  }

  private FloatMatrix left(Arena arena, Coupling.Head head) {
    FloatMatrix left = FloatMatrix.allocate(arena, size, pair.left().weight().columns());
    place.reader().readFloats(pair.left().weight(), head.left(), 0, left);
    return left;
  }

  private PairProblem problem(Arena arena, Coupling.Head head) {
    PairSettings settings = treatment.settings();
    FloatMatrix left = left(arena, head);
    PairProblem.Factor right = right(arena, head);
    // No map depends on the sizes of the factors, but the learner's floats end at some.
    Magnitudes.normalise(left);
    Magnitudes.normalise(right.weights());
    return new PairProblem(
        new PairProblem.Factor(
            left, Side.OUTPUT, treatment.left().group(), isSymmetric(treatment.left())),
        right,
        settings.loss(),
        settings.temperature(),
        settings.orthogonality());
  }

  private static boolean isSymmetric(GridSpec grid) {
    return grid.storage().isSymmetric();
  }

  private PairProblem.Factor right(Arena arena, Coupling.Head head) {
    GridSpec grid = treatment.right();
    FloatMatrix heads =
        HeadStack.read(
            arena,
            place.reader(),
            pair.coupling().kind(),
            pair.right().weight(),
            head,
            place.stop());
    return switch (pair.coupling().kind()) {
      case VALUE_OUTPUT -> {
        int group = grid.wholeRow() || grid.group() >= size ? 0 : grid.group();
        yield new PairProblem.Factor(heads, Side.INPUT, group, isSymmetric(grid));
      }
      case QUERY_KEY ->
          new PairProblem.Factor(
              heads,
              Side.OUTPUT,
              grid.groupSize(pair.right().weight().columns()),
              isSymmetric(grid));
    };
  }

  /**
   * No loss depends on the size of M; with that of the left factor kept, neither factor leaves the
   * range of f16 scales.
   */
  private void scaleToLeft(double[] m, FloatMatrix left) {
    double[] gram = Gram.of(left, Side.OUTPUT);
    double[] product = SquareMatrices.multiply(m, gram, size);
    double before = 0;
    double after = 0;
    for (int i = 0; i < size; i++) {
      before += gram[i * size + i];
      for (int j = 0; j < size; j++) {
        after += product[i * size + j] * m[i * size + j];
      }
    }
    scale(m, after > 0 && before > 0 ? Math.sqrt(before / after) : 1);
  }

  private boolean rightGridSpansHeads() {
    GridSpec grid = treatment.right();
    int columns = pair.right().weight().columns();
    return pair.coupling().kind() == Coupling.Kind.VALUE_OUTPUT && grid.groupSize(columns) > size;
  }

  /**
   * Where a group spans heads its range is that of the widest, so heads that need less waste
   * levels: each M takes the factor that gives all heads of the right matrix the same range, and
   * the left one, whose scales are its own, the inverse.
   */
  private void balance(List<double[]> ms, double[] ranges) {
    double mean = DoubleStream.of(ranges).filter(range -> range > 0).average().orElse(0);
    for (int i = 0; i < ms.size(); i++) {
      if (ranges[i] > 0) {
        scale(ms.get(i), Math.max(ranges[i] / mean, LEAST_SHARE));
      }
    }
  }

  /** Root of the mean over rows of the largest squared entry of o P. */
  private double range(FloatMatrix right, double[] inverse) {
    float[][] rows = new float[size][size];
    for (int i = 0; i < inverse.length; i++) {
      rows[i / size][i % size] = (float) inverse[i];
    }
    float[] original = new float[size];
    float[] product = new float[size];
    double sum = 0;
    for (int r = 0; r < right.rows(); r++) {
      MemorySegment.copy(
          right.segment(),
          ValueLayout.JAVA_FLOAT,
          (long) Float.BYTES * r * size,
          original,
          0,
          size);
      Arrays.fill(product, 0);
      for (int i = 0; i < size; i++) {
        LaneLoops.addScaled(product, rows[i], original[i], size);
      }
      double top = 0;
      for (float value : product) {
        top = Math.max(top, Math.abs(value));
      }
      sum += top * top;
    }
    return Math.sqrt(sum / right.rows());
  }

  private static void scale(double[] m, double factor) {
    for (int i = 0; i < m.length; i++) {
      m[i] *= factor;
    }
  }

  /** The size of what is learned for a head. */
  private static LearningShape.Pair shape(Part.Pair pair, Coupling.Head head) {
    long left = pair.left().weight().columns();
    long one =
        switch (pair.coupling().kind()) {
          case VALUE_OUTPUT -> pair.right().weight().allRows();
          case QUERY_KEY -> pair.right().weight().columns();
        };
    long right = one * head.right().size();
    // Heads that are side by side are read one by one into room of their own.
    long room = pair.coupling().kind() == Coupling.Kind.QUERY_KEY ? one : 0;
    return new LearningShape.Pair(
        head.size(), left, right, Float.BYTES * head.size() * (left + right + room));
  }

  /** What learning takes at most, what reading takes included. */
  static MemoryNeed memoryNeeded(Part.Pair pair, Learner learner) {
    return pair.treatment().basis() == PairTreatment.Basis.LEARNED
        ? learner.need(
            pair.coupling().heads().stream()
                .map(head -> (LearningShape) shape(pair, head))
                .toList())
        : MemoryNeed.NONE;
  }
}
