package io.cafeq.engine.rounding;

import io.cafeq.config.PairRounding;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Rounds two coupled factors of a layer, paper appendix B. With V one head's left factor, [h, in],
 * and O the right one, [out, h], only O V counts. The left factor is rounded first, V^ = Q(M V).
 * Then in turns the right factor is aimed at the best there is for V^, O V V^^T (V^ V^^T)^-1, and
 * the left one at the best for O^, (O^^T O^)^-1 O^^T O V: the transform M is in what was rounded
 * already. Nearest plane rounds each factor in the metric of the other; Algorithm 1 rounds to the
 * nearest. It does not converge, so every half step is measured and the best one is kept.
 *
 * <p>Both factors are read slab by slab and never held: all that a half step leaves is V^ V^^T, V^
 * V^T, O^^T O^ and O^^T O of each left head, in double, and ||O^ V^ - O V||^2 = tr(O^^T O^ V^ V^^T)
 * - 2 tr(O^^T O V V^^T) + tr(O^T O V V^T).
 *
 * <p>Where the inputs of both factors are known, nearest plane is another thing: V' = M V in the
 * metric (o'^T o') x H, o' = O M^-1 not yet rounded, then O' = O M^-1 in M H_o M^T across all
 * heads, H and H_o the second moments of what V and O are multiplied with. Neither is aimed at the
 * rounded other one: what counts is the error of the outputs, not that of the product.
 *
 * <p>Borrows everything. Native memory is taken for one pass at a time. On the heap are up to about
 * 100 h^2 bytes a left head. Not thread-safe.
 */
public final class PairRounder {
  private final PairHeads heads;
  private final PairHalf left;
  private final PairHalf right;
  private final Optional<PairInputs> inputs;

  /** Without biases and without statistics. */
  public PairRounder(
      PairFactor left,
      PairFactor right,
      PairHeads heads,
      GridSpec leftGrid,
      GridSpec rightGrid,
      SlabEncoder encoder,
      StopFlag stop) {
    this(
        left,
        right,
        PairBiases.none(),
        heads,
        leftGrid,
        rightGrid,
        encoder,
        Optional.empty(),
        stop);
  }

  /**
   * @param biases that the transforms will be carried out on as well
   * @param inputs of values and outputs, with statistics
   */
  public PairRounder(
      PairFactor left,
      PairFactor right,
      PairBiases biases,
      PairHeads heads,
      GridSpec leftGrid,
      GridSpec rightGrid,
      SlabEncoder encoder,
      Optional<PairInputs> inputs,
      StopFlag stop) {
    this.heads = heads;
    this.inputs = inputs;
    int h = heads.size();
    this.left =
        new PairHalf(
            left,
            biases.left(),
            h,
            heads.count(),
            heads.leftOfLeft(),
            leftGrid,
            encoder,
            inputs,
            true,
            stop);
    this.right =
        new PairHalf(
            right,
            biases.right(),
            h,
            heads.count(),
            heads.leftOfRight(),
            rightGrid,
            encoder,
            inputs,
            false,
            stop);
  }

  /** Native bytes that a pass over a factor takes beside the encoder's scratch. */
  public static long memoryNeeded(PairFactor factor, GridSpec grid) {
    long weights = (long) factor.slabRows() * factor.columns();
    return 2 * Float.BYTES * weights + SlabBuffers.bytes(grid, factor.slabRows(), factor.columns());
  }

  /**
   * Norms of the originals, from both factors read once, for {@link #round} on these and on other
   * grids.
   */
  public PairOriginals originals() {
    PairHalf.Originals rightOriginals = right.originals(List.of());
    List<double[]> rightGrams = rightOriginals.self();
    PairHalf.Originals leftOriginals = left.originals(rightGrams);
    double norm = 0;
    for (int i = 0; i < heads.count(); i++) {
      norm += SquareMatrices.dot(rightGrams.get(i), leftOriginals.self().get(i));
    }
    return new PairOriginals(
        norm, leftOriginals.self(), rightGrams, leftOriginals.outputs(), rightOriginals.outputs());
  }

  /** The same as {@link #round(PairOriginals, List, PairRounding, int)} for a single rounding. */
  public RoundedPair round(List<double[]> ms, PairRounding method, int iterations) {
    return round(originals(), ms, method, iterations);
  }

  /**
   * Rounds both factors and keeps the best.
   *
   * @param originals of the same factors
   * @param ms the transform of each left head, row-major [h, h], invertible
   * @param iterations rounds of two half steps; without meaning for nearest rounding and in the
   *     metrics of the inputs
   */
  public RoundedPair round(
      PairOriginals originals, List<double[]> ms, PairRounding method, int iterations) {
    return switch (method) {
      case NEAREST -> new Search(originals, ms, new RoundingRule.Nearest()).independent();
      case ALGORITHM_1 -> new Search(originals, ms, new RoundingRule.Nearest()).inTurns(iterations);
      case NEAREST_PLANE -> {
        Search search = new Search(originals, ms, new RoundingRule.NearestPlane());
        yield inputs.isPresent() ? search.inMetrics(inputs.get()) : search.inTurns(iterations);
      }
    };
  }

  /** One search for the best half step. */
  private final class Search {
    private final PairOriginals originals;
    private final List<double[]> ms;
    private final RoundingRule rule;
    private final List<Double> errors = new ArrayList<>();
    private InputMetric leftMetric = InputMetric.NONE;
    private InputMetric rightMetric = InputMetric.NONE;
    private double leastError = Double.POSITIVE_INFINITY;
    private double outputShare;
    private double biasError;
    private List<BlockTransform> bestLeft = List.of();
    private List<BlockTransform> bestRight = List.of();

    private Search(PairOriginals originals, List<double[]> ms, RoundingRule rule) {
      this.originals = originals;
      this.ms = ms;
      this.rule = rule;
    }

    private RoundedPair independent() {
      List<BlockTransform> leftBlocks = starts();
      List<BlockTransform> rightBlocks = rightStarts();
      measure(leftBlocks, roundLeft(leftBlocks), rightBlocks, roundRight(rightBlocks));
      return best();
    }

    /** Both factors once, each in the metric that the inputs and the other factor give it. */
    private RoundedPair inMetrics(PairInputs known) {
      List<BlockTransform> leftBlocks =
          left.blocks(i -> PairMetric.given(ms.get(i), originals.rightGrams().get(i), heads.size()))
              .orElseGet(this::starts);
      List<BlockTransform> rightBlocks = rightStarts();
      leftMetric = known.leftMetric();
      rightMetric = known.rightMetric(rightBlocks);
      measure(leftBlocks, roundLeft(leftBlocks), rightBlocks, roundRight(rightBlocks));
      return best();
    }

    private List<BlockTransform> starts() {
      return required(left.blocks(i -> PairMetric.plain(ms.get(i), heads.size())));
    }

    private List<BlockTransform> rightStarts() {
      int h = heads.size();
      return required(right.blocks(i -> PairMetric.plain(inverseTransposed(ms.get(i), h), h)));
    }

    private PairHalf.Products roundLeft(List<BlockTransform> blocks) {
      List<double[]> undo = ms.stream().map(m -> SquareMatrices.invert(m, heads.size())).toList();
      return left.round(
          blocks, leftMetric, rule, new PairHalf.Undoing(undo, originals.rightGrams()));
    }

    private PairHalf.Products roundRight(List<BlockTransform> blocks) {
      return right.round(blocks, rightMetric, rule, new PairHalf.Undoing(ms, List.of()));
    }

    private RoundedPair inTurns(int iterations) {
      List<BlockTransform> leftBlocks = starts();
      PairHalf.Products leftProducts = roundLeft(leftBlocks);
      for (int i = 0; i < iterations; i++) {
        Optional<List<BlockTransform>> rightBlocks =
            aimed(right, left.withBiases(leftProducts, leftBlocks));
        if (rightBlocks.isEmpty()) {
          break;
        }
        PairHalf.Products rightProducts = roundRight(rightBlocks.get());
        measure(leftBlocks, leftProducts, rightBlocks.get(), rightProducts);
        Optional<List<BlockTransform>> next =
            aimed(left, right.withBiases(rightProducts, rightBlocks.get()));
        if (next.isEmpty()) {
          break;
        }
        leftBlocks = next.get();
        leftProducts = roundLeft(leftBlocks);
        measure(leftBlocks, leftProducts, rightBlocks.get(), rightProducts);
      }
      return errors.isEmpty() ? independent() : best();
    }

    /** Blocks of one factor for what the other one became. */
    private Optional<List<BlockTransform>> aimed(PairHalf half, PairHalf.Products other) {
      int h = heads.size();
      return half.blocks(
          i -> {
            PairMetric metric = PairMetric.of(other.self().get(i), other.cross().get(i), h);
            return rule instanceof RoundingRule.Nearest
                ? PairMetric.plain(metric.forward(), h)
                : metric;
          });
    }

    private void measure(
        List<BlockTransform> leftBlocks,
        PairHalf.Products leftProducts,
        List<BlockTransform> rightBlocks,
        PairHalf.Products rightProducts) {
      double error = originals.squaredNorm();
      for (int i = 0; i < heads.count(); i++) {
        // tr(O^^T O V V^^T) from V^ V^T, the transpose of its second half.
        error +=
            SquareMatrices.dot(rightProducts.self().get(i), leftProducts.self().get(i))
                - 2 * SquareMatrices.dot(rightProducts.cross().get(i), leftProducts.cross().get(i));
      }
      error = Math.max(0, error);
      errors.add(RoundedPair.relative(error, originals.squaredNorm()));
      if (error < leastError) {
        leastError = error;
        bestLeft = leftBlocks;
        bestRight = rightBlocks;
        outputShare =
            originals.outputShare(leftProducts.outputError(), rightProducts.outputError());
        biasError =
            Math.max(
                left.biasError(leftBlocks, rightProducts, originals.rightGrams()),
                right.biasError(rightBlocks, leftProducts, originals.leftGrams()));
      }
    }

    private RoundedPair best() {
      return new RoundedPair(
          bestLeft,
          bestRight,
          leftMetric,
          rightMetric,
          rule,
          leastError,
          originals.squaredNorm(),
          errors,
          biasError,
          inputs.isPresent() ? OptionalDouble.of(outputShare) : OptionalDouble.empty());
    }
  }

  private static double[] inverseTransposed(double[] m, int h) {
    return SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
  }

  private static List<BlockTransform> required(Optional<List<BlockTransform>> blocks) {
    return blocks.orElseThrow(
        () -> new IllegalArgumentException("a transform of the pair is singular"));
  }
}
