package io.cafeq.tools.reproduce;

import io.cafeq.config.PairRounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.PairFactor;
import io.cafeq.engine.rounding.PairHeads;
import io.cafeq.engine.rounding.PairRounder;
import io.cafeq.engine.rounding.RoundedPair;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.function.Consumer;

/**
 * The toy product of appendix B: diag(1, 0.6) times itself, each factor rounded to zeros and ones.
 */
public final class ToyProduct implements PaperTable {
  private final StopFlag stop;

  public ToyProduct(StopFlag stop) {
    this.stop = stop;
  }

  @Override
  public String description() {
    return """
    The toy product of appendix B: diag(1, 0.6) times itself, both factors rounded to {0, 1}; error of the product
    The same weights as the paper's. On the grid of Eq. (1) from minimum to maximum this product would be exact.
    """
        .stripTrailing();
  }

  @Override
  public List<Reproduced> run(Consumer<Reproduced> each) {
    List<Reproduced> figures =
        List.of(
            new Reproduced("independent", .64, error(PairRounding.NEAREST, 0)),
            new Reproduced(
                "half an iteration of Algorithm 1", .36, error(PairRounding.ALGORITHM_1, 1)));
    figures.forEach(each);
    return figures;
  }

  private double error(PairRounding method, int iterations) {
    GridSpec grid = new GridSpec(2, 0, ScaleStorage.F16, 8, false);
    try (Arena arena = Arena.ofConfined();
        BitEncoder encoder = new BitEncoder()) {
      FloatMatrix diagonal = FloatMatrix.allocate(arena, 2, 2);
      diagonal.set(0, 0, 1);
      diagonal.set(1, 1, 0.6f);
      PairFactor left = PairFactor.of(diagonal, Side.OUTPUT, 2);
      PairFactor right = PairFactor.of(diagonal, Side.INPUT, 2);
      RoundedPair rounded =
          new PairRounder(left, right, PairHeads.single(2), grid, grid, encoder, stop)
              .round(List.of(SquareMatrices.identity(2)), method, iterations);
      return rounded.relativeErrors().getFirst() * Math.sqrt(rounded.squaredNorm());
    }
  }
}
