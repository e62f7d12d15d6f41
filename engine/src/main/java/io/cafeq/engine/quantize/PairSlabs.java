package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.PairProducts;
import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.Magnitudes;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.rounding.FactorOutputs;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.PairInputs;
import io.cafeq.engine.rounding.PairOriginals;
import io.cafeq.engine.rounding.RoundedPair;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransform;
import io.cafeq.engine.transform.StoredTransforms;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * Writes the slabs of both factors of a pair as their best rounding has them, and measures on the
 * way what plain rounding would make of each factor. Borrows everything.
 *
 * <p>A slab of a pair has no squared error of its own, since only the product is that of the
 * source: its figures are 0.
 */
final class PairSlabs {
  private final Workplace place;
  private final Part.Pair pair;
  private final PairShape shape;
  private final PairTreatment treatment;
  private final Optional<List<double[]>> reversed;
  private final Optional<PairInputs> inputs;
  private final PairOriginals originals;

  /**
   * @param reversed M of each head, where the transform is undone before saving
   */
  PairSlabs(
      Workplace place,
      Part.Pair pair,
      PairShape shape,
      Optional<List<double[]>> reversed,
      Optional<PairInputs> inputs,
      PairOriginals originals) {
    this.inputs = inputs;
    this.originals = originals;
    this.place = place;
    this.pair = pair;
    this.shape = shape;
    this.treatment = pair.treatment();
    this.reversed = reversed;
  }

  /**
   * @param squaredNorm of the original weights of both factors
   * @param exponentBits of rows that f16 alone cannot hold
   * @param relativeError PQE as stored, where that differs from what was rounded
   * @param outputShare likewise, where there are statistics; see {@link RoundedPair#outputShare}
   */
  record Written(
      double squaredNorm,
      long exponentBits,
      OptionalDouble relativeError,
      OptionalDouble outputShare,
      PlainErrors leftPlain,
      PlainErrors rightPlain) {}

  /**
   * Of one factor.
   *
   * @param norm squared, of its original weights
   * @param outputError of what is stored, where the transform is undone and the inputs are known;
   *     else 0
   */
  private record Sums(double norm, double outputError, long exponentBits) {
    /** The norm of a factor that was divided by 2^exponent. */
    private double norm(int exponent) {
      return norm * Math.scalb(1.0, 2 * exponent);
    }
  }

  /** Squared errors of plain grids over one factor. */
  static final class PlainErrors {
    private final Map<GridSpec, Double> errors = new LinkedHashMap<>();

    private PlainErrors(List<GridSpec> grids) {
      grids.forEach(grid -> errors.put(grid, 0.0));
    }

    /** The grid with the least error, if any was measured. */
    Optional<GridSpec> least() {
      return errors.entrySet().stream()
          .min(Map.Entry.comparingByValue(Comparator.naturalOrder()))
          .map(Map.Entry::getKey);
    }
  }

  Written write(UnitFileWriter writer, RoundedPair rounded) {
    boolean measured = place.baselines() || treatment.fallBack();
    PlainErrors leftPlain =
        new PlainErrors(measured ? equalBits(treatment.left(), pair.leftRows()) : List.of());
    PlainErrors rightPlain =
        new PlainErrors(measured ? equalBits(treatment.right(), pair.rightRows()) : List.of());
    PairProducts products = new PairProducts(shape.size(), isMeasured() ? shape.heads().size() : 0);
    StoredFactor left = shape.left(place.reader());
    StoredFactor right = shape.right(place.reader());
    List<Integer> couplings = shape.couplings().leftOfRight();
    List<StoredTransform> leftStored =
        stored(
            Side.OUTPUT,
            shape.heads().stream().map(Coupling.Head::left).toList(),
            i -> reversed.orElseThrow().get(i),
            false);
    List<StoredTransform> rightStored =
        stored(
            right.side(),
            shape.rightChannels(),
            i -> reversed.orElseThrow().get(couplings.get(i)),
            true);
    leftStored.forEach(block -> writer.writeTransform(pair.left().name(), block));
    rightStored.forEach(block -> writer.writeTransform(pair.right().name(), block));
    Sums ofLeft =
        factor(
            writer,
            left,
            true,
            rounded,
            leftPlain,
            leftStored,
            (first, original, effective) ->
                products.addLeft(first / shape.size(), original, effective));
    Sums ofRight =
        factor(
            writer,
            right,
            false,
            rounded,
            rightPlain,
            rightStored,
            (first, original, effective) ->
                addRight(products, right, couplings, first, original, effective));
    return new Written(
        ofLeft.norm(shape.scales().left()) + ofRight.norm(shape.scales().right()),
        ofLeft.exponentBits() + ofRight.exponentBits(),
        isMeasured() ? OptionalDouble.of(products.relativeError()) : OptionalDouble.empty(),
        isMeasured() && inputs.isPresent()
            ? OptionalDouble.of(originals.outputShare(ofLeft.outputError(), ofRight.outputError()))
            : OptionalDouble.empty(),
        leftPlain,
        rightPlain);
  }

  /** Whether what is stored is not to the last digit what was rounded. */
  private boolean isMeasured() {
    return reversed.isPresent() || shape.scales().mayLoseDigits();
  }

  private void addRight(
      PairProducts products,
      StoredFactor right,
      List<Integer> couplings,
      int first,
      FloatMatrix original,
      FloatMatrix effective) {
    switch (right.side()) {
      case OUTPUT ->
          products.addRight(
              couplings.get(first / shape.size()), Side.OUTPUT, 0, original, effective);
      case INPUT -> {
        for (int i = 0; i < couplings.size(); i++) {
          products.addRight(couplings.get(i), Side.INPUT, i * shape.size(), original, effective);
        }
      }
    }
  }

  private static List<GridSpec> equalBits(GridSpec grid, List<Part.RowRange> ranges) {
    int columns = ranges.getFirst().tensor().weight().columns();
    long rows = ranges.stream().mapToLong(Part.RowRange::count).sum();
    return PlainGrids.within(grid, rows, columns, rows * grid.bitsPerRow(columns));
  }

  /** Where a head's M comes from. */
  private interface Matrices {
    double[] of(int head);
  }

  /**
   * What undoes the transform of each head: M^-1 on the left; on the right o = o' M, so M^T on
   * columns and M^T on rows.
   */
  private List<StoredTransform> stored(
      Side side, List<Integer> channels, Matrices ms, boolean isRight) {
    List<StoredTransform> blocks = new ArrayList<>();
    if (reversed.isEmpty()) {
      return blocks;
    }
    int h = shape.size();
    for (int i = 0; i < channels.size(); i++) {
      double[] m = ms.of(i);
      double[] p = isRight ? SquareMatrices.transpose(m, h) : SquareMatrices.invert(m, h);
      blocks.add(StoredTransforms.store(side, channels.get(i), h, p, treatment.reverseStorage()));
    }
    return blocks;
  }

  /** Takes a slab's original rows and what its codes stand for. */
  private interface Pieces {
    void accept(int firstRow, FloatMatrix original, FloatMatrix effective);
  }

  private Sums factor(
      UnitFileWriter writer,
      StoredFactor factor,
      boolean isLeft,
      RoundedPair rounded,
      PlainErrors plain,
      List<StoredTransform> stored,
      Pieces pieces) {
    double norm = 0;
    double outputError = 0;
    long exponentBits = 0;
    int exponent = isLeft ? shape.scales().storedLeft() : shape.scales().storedRight();
    GridSpec grid = isLeft ? treatment.left() : treatment.right();
    List<BlockTransform> blocks = isLeft ? rounded.left() : rounded.right();
    InputMetric metric = isLeft ? rounded.leftMetric() : rounded.rightMetric();
    SlabDecoder decoder = new SlabDecoder();
    try (Arena arena = Arena.ofConfined()) {
      Optional<FactorOutputs> outputs =
          inputs
              .filter(known -> isMeasured())
              .map(
                  known ->
                      new FactorOutputs(
                          known,
                          arena,
                          isLeft,
                          shape.size(),
                          factor.slabRows(),
                          List.of(),
                          isLeft ? originals.rightGrams() : List.of()));
      FloatMatrix room = FloatMatrix.allocate(arena, factor.slabRows(), factor.columns());
      FloatMatrix effectiveRoom =
          FloatMatrix.allocate(arena, isMeasured() ? factor.slabRows() : 1, factor.columns());
      SlabBuffers buffers = new SlabBuffers(arena, grid, factor.slabRows(), factor.columns());
      for (int first = 0; first < factor.rows(); first += factor.slabRows()) {
        place.stop().check();
        FloatMatrix slab = room.slice(0, Math.min(factor.slabRows(), factor.rows() - first));
        factor.read(first, slab);
        List<BlockTransform> own =
            switch (factor.side()) {
              case INPUT -> blocks;
              case OUTPUT -> List.of(blocks.get(first / shape.size()));
            };
        EncodedSlab encoded =
            place
                .lane()
                .encoder()
                .encode(
                    slab,
                    grid,
                    new SlabTransforms.Blocks(factor.side(), own),
                    metric,
                    rounded.rounding(),
                    buffers);
        norm += encoded.squaredNorm();
        int row = factor.tensorRow(first);
        plain.errors.replaceAll(
            (candidate, error) ->
                error
                    + place
                        .lane()
                        .encoder()
                        .plainError(slab, candidate, InputMetric.NONE)
                        .squared());
        EncodedSlab written = buffers.multiplied(encoded.withoutErrors(), exponent);
        exponentBits += written.exponentBits();
        write(writer, factor.weight(), row, written);
        if (isMeasured()) {
          FloatMatrix effective = effectiveRoom.slice(0, slab.rows());
          decoder.decode(
              written,
              0,
              undoing(stored, factor, first),
              factor.side() == Side.INPUT ? 0 : row,
              effective);
          Magnitudes.multiply(effective, -exponent);
          pieces.accept(first, slab, effective);
          if (outputs.isPresent()) {
            outputError += outputs.get().error(slab, effective, first / shape.size());
          }
        }
      }
    }
    return new Sums(norm, outputError, exponentBits);
  }

  private SlabDecoder.@Nullable Blocks undoing(
      List<StoredTransform> stored, StoredFactor factor, int firstRow) {
    if (stored.isEmpty()) {
      return null;
    }
    return SlabDecoder.Blocks.of(
        factor.side() == Side.INPUT ? stored : List.of(stored.get(firstRow / shape.size())));
  }

  private static void write(UnitFileWriter writer, WeightTensor weight, int row, EncodedSlab slab) {
    boolean isStack = weight.isStack();
    writer.writeSlab(
        weight.name(),
        isStack ? row / weight.rows() : -1,
        isStack ? row % weight.rows() : row,
        slab);
  }
}
