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

/**
 * Rounds two coupled factors of a layer, paper appendix B. With V one head's left factor, [h, in], and O the right one, [out,
 * h], only O V counts. The left factor is rounded first, V^ = Q(M V). Then in turns the right factor is aimed at the best
 * there is for V^, O V V^^T (V^ V^^T)^-1, and the left one at the best for O^, (O^^T O^)^-1 O^^T O V: the transform M is in
 * what was rounded already. Nearest plane rounds each factor in the metric of the other; Algorithm 1 rounds to the nearest.
 * It does not converge, so every half step is measured and the best one is kept.
 *
 * <p>Both factors are read slab by slab and never held: all that a half step leaves is V^ V^^T, V^ V^T, O^^T O^ and O^^T O of
 * each left head, in double, and ||O^ V^ - O V||^2 = tr(O^^T O^ V^ V^^T) - 2 tr(O^^T O V V^^T) + tr(O^T O V V^T).
 *
 * <p>Borrows everything. Native memory is taken for one pass at a time. On the heap lie up to about 100 h^2 bytes a left head.
 * Not thread-safe.
 */
public final class PairRounder {
  private final PairHeads heads;
  private final PairHalf left;
  private final PairHalf right;

  public PairRounder(
      PairFactor left,
      PairFactor right,
      PairHeads heads,
      GridSpec leftGrid,
      GridSpec rightGrid,
      SlabEncoder encoder,
      StopFlag stop) {
    this(left, right, PairBiases.none(), heads, leftGrid, rightGrid, encoder, stop);
  }

  /** @param biases that the transforms will be carried out on as well */
  public PairRounder(
      PairFactor left,
      PairFactor right,
      PairBiases biases,
      PairHeads heads,
      GridSpec leftGrid,
      GridSpec rightGrid,
      SlabEncoder encoder,
      StopFlag stop) {
    this.heads = heads;
    int h = heads.size();
    this.left = new PairHalf(left, biases.left(), h, heads.count(), heads.leftOfLeft(), leftGrid, encoder, stop);
    this.right = new PairHalf(right, biases.right(), h, heads.count(), heads.leftOfRight(), rightGrid, encoder, stop);
  }

  /** Native bytes that a pass over a factor takes beside the encoder's scratch. */
  public static long memoryNeeded(PairFactor factor, GridSpec grid) {
    long weights = (long) factor.slabRows() * factor.columns();
    return 2 * Float.BYTES * weights + SlabBuffers.bytes(grid, factor.slabRows(), factor.columns());
  }

  /**
   * ||O V||^2 over all heads, from both factors read once, for {@link #round(double, List, PairRounding, int)} on these and on
   * other grids.
   */
  public double squaredNorm() {
    List<double[]> leftProducts = left.originals();
    List<double[]> rightProducts = right.originals();
    double norm = 0;
    for (int i = 0; i < heads.count(); i++) {
      norm += SquareMatrices.dot(rightProducts.get(i), leftProducts.get(i));
    }
    return norm;
  }

  /** The same as {@link #round(double, List, PairRounding, int)} for a single rounding. */
  public RoundedPair round(List<double[]> ms, PairRounding method, int iterations) {
    return round(squaredNorm(), ms, method, iterations);
  }

  /**
   * Rounds both factors and keeps the best.
   *
   * @param squaredNorm of the original products
   * @param ms the transform of each left head, row-major [h, h], invertible
   * @param iterations rounds of two half steps; without meaning for nearest rounding
   */
  public RoundedPair round(double squaredNorm, List<double[]> ms, PairRounding method, int iterations) {
    return switch (method) {
      case NEAREST -> new Search(squaredNorm, new RoundingRule.Nearest()).independent(ms);
      case ALGORITHM_1 -> new Search(squaredNorm, new RoundingRule.Nearest()).inTurns(ms, iterations);
      case NEAREST_PLANE -> new Search(squaredNorm, new RoundingRule.NearestPlane()).inTurns(ms, iterations);
    };
  }

  /** One search for the best half step. */
  private final class Search {
    private final RoundingRule rule;
    private final double squaredNorm;
    private final List<Double> errors = new ArrayList<>();
    private double leastError = Double.POSITIVE_INFINITY;
    private List<BlockTransform> bestLeft = List.of();
    private List<BlockTransform> bestRight = List.of();

    private Search(double squaredNorm, RoundingRule rule) {
      this.squaredNorm = squaredNorm;
      this.rule = rule;
    }

    private RoundedPair independent(List<double[]> ms) {
      int h = heads.size();
      List<BlockTransform> leftBlocks = starts(ms);
      List<BlockTransform> rightBlocks = required(right.blocks(i -> PairMetric.plain(inverseTransposed(ms.get(i), h), h)));
      measure(leftBlocks, left.round(leftBlocks, rule), rightBlocks, right.round(rightBlocks, rule));
      return best();
    }

    private List<BlockTransform> starts(List<double[]> ms) {
      return required(left.blocks(i -> PairMetric.plain(ms.get(i), heads.size())));
    }

    private RoundedPair inTurns(List<double[]> ms, int iterations) {
      List<BlockTransform> leftBlocks = starts(ms);
      PairHalf.Products leftProducts = left.round(leftBlocks, rule);
      for (int i = 0; i < iterations; i++) {
        Optional<List<BlockTransform>> rightBlocks = aimed(right, left.withBiases(leftProducts, leftBlocks));
        if (rightBlocks.isEmpty()) {
          break;
        }
        PairHalf.Products rightProducts = right.round(rightBlocks.get(), rule);
        measure(leftBlocks, leftProducts, rightBlocks.get(), rightProducts);
        Optional<List<BlockTransform>> next = aimed(left, right.withBiases(rightProducts, rightBlocks.get()));
        if (next.isEmpty()) {
          break;
        }
        leftBlocks = next.get();
        leftProducts = left.round(leftBlocks, rule);
        measure(leftBlocks, leftProducts, rightBlocks.get(), rightProducts);
      }
      return errors.isEmpty() ? independent(ms) : best();
    }

    /** Blocks of one factor for what the other one became. */
    private Optional<List<BlockTransform>> aimed(PairHalf half, PairHalf.Products other) {
      int h = heads.size();
      return half.blocks(
          i -> {
            PairMetric metric = PairMetric.of(other.self().get(i), other.cross().get(i), h);
            return rule instanceof RoundingRule.Nearest ? PairMetric.plain(metric.forward(), h) : metric;
          });
    }

    private void measure(
        List<BlockTransform> leftBlocks,
        PairHalf.Products leftProducts,
        List<BlockTransform> rightBlocks,
        PairHalf.Products rightProducts) {
      double error = squaredNorm;
      for (int i = 0; i < heads.count(); i++) {
        // tr(O^^T O V V^^T) from V^ V^T, the transpose of its second half.
        error +=
            SquareMatrices.dot(rightProducts.self().get(i), leftProducts.self().get(i))
                - 2 * SquareMatrices.dot(rightProducts.cross().get(i), leftProducts.cross().get(i));
      }
      error = Math.max(0, error);
      errors.add(RoundedPair.relative(error, squaredNorm));
      if (error < leastError) {
        leastError = error;
        bestLeft = leftBlocks;
        bestRight = rightBlocks;
      }
    }

    private RoundedPair best() {
      return new RoundedPair(bestLeft, bestRight, rule, leastError, squaredNorm, errors);
    }
  }

  private static double[] inverseTransposed(double[] m, int h) {
    return SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
  }

  private static List<BlockTransform> required(Optional<List<BlockTransform>> blocks) {
    return blocks.orElseThrow(() -> new IllegalArgumentException("a transform of the pair is singular"));
  }
}
