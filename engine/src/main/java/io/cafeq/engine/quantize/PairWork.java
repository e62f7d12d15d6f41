package io.cafeq.engine.quantize;

import io.cafeq.config.PairRounding;
import io.cafeq.config.Side;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.compute.Learning;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.PairTreatment.Basis;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.rounding.PairInputs;
import io.cafeq.engine.rounding.PairOriginals;
import io.cafeq.engine.rounding.RoundedPair;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransforms;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a pair: M is learned head by head, both factors are rounded, in turns or in the
 * metrics of their inputs, without being held in memory, and what came out best is written. Borrows
 * everything that it is given.
 */
final class PairWork implements PartWork {
  private final Workplace place;
  private final int part;
  private final Part.Pair pair;
  private final PairTreatment treatment;
  private final PairShape shape;
  private final PairTransforms transforms;
  private final PairRounders rounders;
  private final Progress progress;
  private @Nullable Learning learning;

  /**
   * Reads both factors once.
   *
   * @param part the pair's place among the unit's parts
   */
  PairWork(Workplace place, Unit.Quantized unit, int part, Progress progress) {
    this.place = place;
    this.part = part;
    this.progress = progress;
    pair = (Part.Pair) unit.parts().get(part);
    treatment = pair.treatment();
    shape = PairShape.of(pair, place.reader(), place.stop());
    transforms = new PairTransforms(place, pair, shape);
    rounders = new PairRounders(place, pair, shape);
  }

  @Override
  public void begin() {
    if (treatment.basis() == Basis.LEARNED) {
      learning = transforms.submit();
    }
  }

  @Override
  public void close() {
    Learning asked = learning;
    learning = null;
    if (asked != null) {
      asked.close();
    }
  }

  @Override
  public Outcome write(UnitFileWriter writer) {
    try (Arena arena = Arena.ofConfined()) {
      return write(writer, inputs(arena));
    }
  }

  /**
   * Moments of both factors' inputs; empty unless there are both. What is made of them stays as
   * long as they do.
   */
  private Optional<PairInputs> inputs(Arena arena) {
    if (pair.coupling().kind() != Coupling.Kind.VALUE_OUTPUT) {
      return Optional.empty();
    }
    Optional<InputMoments> left = moments(pair.left(), arena);
    Optional<InputMoments> right = left.isEmpty() ? left : moments(pair.right(), arena);
    return right.map(
        known ->
            PairInputs.of(
                left.orElseThrow(), known, place.damping(), place.lane().products(), arena));
  }

  private Optional<InputMoments> moments(PlannedTensor tensor, Arena arena) {
    return place
        .inputs()
        .of(tensor.weight(), 0)
        .flatMap(input -> place.statistics().read(input, arena));
  }

  private Outcome write(UnitFileWriter writer, Optional<PairInputs> inputs) {
    List<double[]> ms =
        switch (treatment.basis()) {
          case LEARNED ->
              transforms.learned(
                  Objects.requireNonNull(learning, "begin comes before write"), progress);
          case ROTATION -> transforms.rotations();
          case UNCHANGED -> transforms.unchanged();
        };
    boolean reversed = treatment.isReversed();
    if (reversed) {
      ms = ms.stream().map(this::asStored).toList();
    }
    PairOriginals originals = rounders.on(treatment.left(), treatment.right(), inputs).originals();
    RoundedPair rounded;
    PairSlabs.Written written;
    try (Arena arena = Arena.ofConfined()) {
      Optional<PairInputs> own = inputs.map(known -> known.in(arena));
      rounded =
          rounders
              .on(treatment.left(), treatment.right(), own)
              .round(
                  originals, ms, rounding(inputs.isPresent()), treatment.settings().iterations());
      written =
          new PairSlabs(
                  place, pair, shape, reversed ? Optional.of(ms) : Optional.empty(), own, originals)
              .write(writer, rounded);
    }
    place.biases().put(part, folds(rounded));
    if (treatment.basis() != Basis.LEARNED) {
      progress.advanced(pair.weights());
    }
    return new PairOutcome(place, pair, transforms, rounders, inputs, originals)
        .of(ms, rounded, written);
  }

  /** What is unchanged is rounded to the nearest, unless inputs say what is better. */
  private PairRounding rounding(boolean knowsInputs) {
    PairRounding asked = treatment.settings().rounding();
    boolean inMetrics = knowsInputs && asked == PairRounding.NEAREST_PLANE;
    return treatment.basis() == Basis.UNCHANGED && !inMetrics ? PairRounding.NEAREST : asked;
  }

  /** With the inverse rounded as it will be stored. */
  private double[] asStored(double[] m) {
    int h = shape.size();
    double[] inverse = SquareMatrices.invert(m, h);
    float[] stored =
        StoredTransforms.store(Side.OUTPUT, 0, h, inverse, treatment.reverseStorage()).inverse();
    double[] p = new double[stored.length];
    for (int i = 0; i < p.length; i++) {
      p[i] = stored[i];
    }
    double[] again = SquareMatrices.invert(p, h);
    return SquareMatrices.isFinite(again) ? again : m;
  }

  /** Biases go the way of what was aimed at for their rows. */
  private List<BiasFolds.Fold> folds(RoundedPair rounded) {
    List<BiasFolds.Fold> folds = new ArrayList<>();
    if (treatment.settings().reverse()) {
      return folds;
    }
    pair.leftBias()
        .ifPresent(
            bias -> {
              for (int i = 0; i < shape.heads().size(); i++) {
                folds.add(
                    new BiasFolds.Fold(
                        bias.name(),
                        shape.heads().get(i).left(),
                        shape.size(),
                        times(rounded.left().get(i).exactForward(), shape.scales().ofBias(true))));
              }
            });
    pair.rightBias()
        .ifPresent(
            bias -> {
              for (int i = 0; i < shape.rightChannels().size(); i++) {
                folds.add(
                    new BiasFolds.Fold(
                        bias.name(),
                        shape.rightChannels().get(i),
                        shape.size(),
                        times(
                            rounded.right().get(i).exactForward(), shape.scales().ofBias(false))));
              }
            });
    return folds;
  }

  private static double[] times(double[] map, double factor) {
    return DoubleStream.of(map).map(entry -> entry * factor).toArray();
  }
}
