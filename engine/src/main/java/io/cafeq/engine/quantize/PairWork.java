package io.cafeq.engine.quantize;

import io.cafeq.config.PairRounding;
import io.cafeq.config.Side;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.PairTreatment.Basis;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.rounding.PairBiases;
import io.cafeq.engine.rounding.PairRounder;
import io.cafeq.engine.rounding.RoundedPair;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransforms;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a pair: M is learned head by head, both factors are rounded in turns without being held in memory, and the
 * best half step is written. Borrows everything that it is given.
 */
final class PairWork implements PartWork {
  private static final long HEAP_BYTES_PER_ENTRY = 90;

  private final Workplace place;
  private final int part;
  private final Part.Pair pair;
  private final PairTreatment treatment;
  private final PairShape shape;
  private final PairTransforms transforms;
  private final Progress progress;

  /** @param part the pair's place among the unit's parts */
  PairWork(Workplace place, Unit.Quantized unit, int part, Progress progress) {
    this.place = place;
    this.part = part;
    this.progress = progress;
    pair = (Part.Pair) unit.parts().get(part);
    treatment = pair.treatment();
    shape = new PairShape(pair);
    transforms = new PairTransforms(place, pair, shape);
  }

  @Override
  public Outcome write(UnitFileWriter writer) {
    List<double[]> ms = switch (treatment.basis()) {
      case LEARNED -> transforms.learned(progress);
      case ROTATION -> transforms.rotations();
      case UNCHANGED -> transforms.unchanged();
    };
    boolean reversed = treatment.isReversed();
    if (reversed) {
      ms = ms.stream().map(this::asStored).toList();
    }
    PairRounding rounding = treatment.basis() == Basis.UNCHANGED ? PairRounding.NEAREST : treatment.settings().rounding();
    PairRounder rounder = rounder(treatment.left(), treatment.right());
    double productNorm = rounder.squaredNorm();
    RoundedPair rounded = rounder.round(productNorm, ms, rounding, treatment.settings().iterations());
    PairSlabs.Written written = new PairSlabs(place, pair, shape, reversed ? Optional.of(ms) : Optional.empty())
        .write(writer, rounded);
    place.biases().put(part, folds(rounded));
    if (treatment.basis() != Basis.LEARNED) {
      progress.advanced(pair.weights());
    }
    return outcome(productNorm, ms, rounded, written);
  }

  /** With the inverse rounded as it will be stored. */
  private double[] asStored(double[] m) {
    int h = shape.size();
    double[] inverse = SquareMatrices.invert(m, h);
    float[] stored = StoredTransforms.store(Side.OUTPUT, 0, h, inverse, treatment.reverseStorage()).inverse();
    double[] p = new double[stored.length];
    for (int i = 0; i < p.length; i++) {
      p[i] = stored[i];
    }
    double[] again = SquareMatrices.invert(p, h);
    return SquareMatrices.isFinite(again) ? again : m;
  }

  private PairRounder rounder(GridSpec left, GridSpec right) {
    return new PairRounder(
        shape.left(place.reader()), shape.right(place.reader()), biases(), shape.couplings(), left, right,
        place.lane().encoder(), place.stop());
  }

  /** Those that are folded, so that what meets them is aimed at them as well. */
  private PairBiases biases() {
    if (treatment.settings().reverse()) {
      return PairBiases.none();
    }
    return new PairBiases(
        biases(pair.leftBias(), shape.heads().stream().map(Coupling.Head::left).toList()),
        biases(pair.rightBias(), shape.rightChannels()));
  }

  private List<double[]> biases(Optional<PlannedTensor> bias, List<Integer> firsts) {
    if (bias.isEmpty()) {
      return List.of();
    }
    double[] values = BiasFolds.read(bias.get().info(), place.reader());
    return firsts.stream().map(first -> Arrays.copyOfRange(values, first, first + shape.size())).toList();
  }

  /** Biases go the way of what was aimed at for their rows. */
  private List<BiasFolds.Fold> folds(RoundedPair rounded) {
    List<BiasFolds.Fold> folds = new ArrayList<>();
    if (treatment.settings().reverse()) {
      return folds;
    }
    pair.leftBias().ifPresent(bias -> {
      for (int i = 0; i < shape.heads().size(); i++) {
        folds.add(new BiasFolds.Fold(
            bias.name(), shape.heads().get(i).left(), shape.size(), rounded.left().get(i).exactForward()));
      }
    });
    pair.rightBias().ifPresent(bias -> {
      for (int i = 0; i < shape.rightChannels().size(); i++) {
        folds.add(new BiasFolds.Fold(
            bias.name(), shape.rightChannels().get(i), shape.size(), rounded.right().get(i).exactForward()));
      }
    });
    return folds;
  }

  private Outcome outcome(
      double productNorm, List<double[]> ms, RoundedPair rounded, PairSlabs.Written written) {
    GridSpec left = treatment.left();
    GridSpec right = treatment.right();
    double result = written.relativeError().orElse(rounded.relativeError());
    @Nullable Double plain = null;
    @Nullable Double clipped = null;
    @Nullable Double equal = null;
    @Nullable Double rotation = null;
    @Nullable Double learned = null;
    List<double[]> identities = transforms.unchanged();
    GridSpec equalLeft = equalBits(left, pair.leftRows(), written.leftPlain());
    GridSpec equalRight = equalBits(right, pair.rightRows(), written.rightPlain());
    if (place.baselines() || treatment.fallBack()) {
      equal = independent(productNorm, identities, equalLeft, equalRight);
    }
    if (place.baselines()) {
      plain = independent(productNorm, identities, PlainGrids.sameGroup(left, false), PlainGrids.sameGroup(right, false));
      GridSpec clippedLeft = PlainGrids.sameGroup(left, true);
      GridSpec clippedRight = PlainGrids.sameGroup(right, true);
      clipped = equal != null && clippedLeft.equals(equalLeft) && clippedRight.equals(equalRight)
          ? equal
          : (Double) independent(productNorm, identities, clippedLeft, clippedRight);
      rotation = independent(productNorm, transforms.rotations(), left, right);
      learned = treatment.basis() == Basis.LEARNED ? (Double) independent(productNorm, ms, left, right) : null;
    }
    PairFigures figures = new PairFigures(
        pair.left().name(), pair.right().name(), pair.weights(), written.squaredNorm(), result,
        plain, clipped, equal, rotation, learned);
    boolean falls = treatment.fallBack() && treatment.basis() != Basis.UNCHANGED && equal != null && equal <= result;
    Optional<Part> fallBack = falls
        ? Optional.of(new Part.Pair(
            pair.coupling(), pair.left(), pair.leftBias(), pair.right(), pair.rightBias(), new PairTreatment(
                equalLeft, equalRight, treatment.settings(), Basis.UNCHANGED, treatment.reverseStorage(),
                treatment.seed(), false)))
        : Optional.empty();
    return new Outcome(
        pair.weights(),
        written.squaredNorm(),
        null,
        new ErrorFigures(figures.squaredError(result), pair.bits()),
        figures(figures, plain, PlainGrids.sameGroup(left, false), PlainGrids.sameGroup(right, false)),
        figures(figures, clipped, PlainGrids.sameGroup(left, true), PlainGrids.sameGroup(right, true)),
        figures(figures, equal, equalLeft, equalRight),
        figures,
        fallBack);
  }

  private double independent(double productNorm, List<double[]> ms, GridSpec left, GridSpec right) {
    return rounder(left, right).round(productNorm, ms, PairRounding.NEAREST, 1).relativeError();
  }

  private @Nullable ErrorFigures figures(PairFigures pairFigures, @Nullable Double relative, GridSpec left, GridSpec right) {
    return relative == null ? null : new ErrorFigures(pairFigures.squaredError(relative), pair.bits(left, right));
  }

  /** Of the plain grids that take no more bits than the pair's, the one with the least error of its own factor. */
  private GridSpec equalBits(GridSpec grid, List<Part.RowRange> rows, PairSlabs.PlainErrors errors) {
    return errors.least().orElseGet(() -> PlainGrids.sameGroup(grid, true));
  }

  /**
   * Bytes of the heap: h x h matrices for every left head, in doubles M, the products of both factors and those being summed,
   * in floats the blocks of the present and of the best half step.
   */
  static long heapNeeded(Part.Pair pair) {
    return pair.coupling().heads().stream()
        .mapToLong(head -> HEAP_BYTES_PER_ENTRY * head.size() * head.size())
        .sum();
  }

  /** Native bytes that a pass takes at most. */
  static long memoryNeeded(Part.Pair pair) {
    return Math.max(PairTransforms.memoryNeeded(pair), PairSlabs.memoryNeeded(pair));
  }
}
