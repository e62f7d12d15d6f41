package io.cafeq.tools.reproduce;

import io.cafeq.config.Loss;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.compute.BlockMaker;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Table 4: what the size of the blocks brings, here as l2 error with everything that this program
 * does by default.
 */
public final class BlockSizes implements PaperTable {
  private static final int ROWS = 1024;
  private static final int COLUMNS = 9216;
  private static final int STEPS = 100;
  private static final int HADAMARD = 1024;

  /** Learned blocks are independent and alike, so a part of the rows is enough. */
  private static final int LEARNED_ROWS = 256;

  private final Learner learner;
  private final ComputeLane lane;
  private final long seed;
  private final StopFlag stop;

  /** Borrows the lane. */
  public BlockSizes(Learner learner, ComputeLane lane, long seed, StopFlag stop) {
    this.learner = learner;
    this.lane = lane;
    this.seed = seed;
    this.stop = stop;
  }

  @Override
  public String description() {
    return """
    Table 4: what the size of the blocks brings at 4 bits a channel
    The paper: average benchmark scores of Gemma 2 2B, higher is better. Measured: relative l2 errors on Gaussian rows of
    9216, lower is better, since scores need the real model. Clipped grids, nearest plane, transforms stored in int8.
    """
        .stripTrailing();
  }

  @Override
  public List<Reproduced> run(Consumer<Reproduced> each) {
    List<Reproduced> figures = new ArrayList<>();
    add(figures, each, "UNIFORM", 41.3, none());
    add(figures, each, "RANDOM 1024", 43.6, hadamard());
    add(figures, each, "CafeQ k=32", 44.7, learned(32));
    add(figures, each, "CafeQ k=64", 45.4, learned(64));
    add(figures, each, "CafeQ k=128", 45.3, learned(128));
    add(figures, each, "CafeQ k=256", 46.2, learned(256));
    return figures;
  }

  private static void add(
      List<Reproduced> figures,
      Consumer<Reproduced> each,
      String name,
      double paper,
      double measured) {
    Reproduced figure = new Reproduced(name, paper, measured);
    figures.add(figure);
    each.accept(figure);
  }

  private double none() {
    try (Arena arena = Arena.ofConfined()) {
      Sums sums = new Sums();
      sums.add(encode(arena, weights(arena, 0, LEARNED_ROWS), new SlabTransforms.None()));
      return sums.relative();
    }
  }

  private double hadamard() {
    try (Arena arena = Arena.ofConfined()) {
      List<BlockTransform> blocks =
          maker(BlockDiagonal.Kind.HADAMARD, HADAMARD, "signs").random(0, List.of(HADAMARD));
      Sums sums = new Sums();
      sums.add(
          encode(arena, weights(arena, 0, ROWS), new SlabTransforms.Blocks(Side.OUTPUT, blocks)));
      return sums.relative();
    }
  }

  private double learned(int k) {
    Sums sums = new Sums();
    for (int first = 0; first < LEARNED_ROWS; first += k) {
      try (Arena arena = Arena.ofConfined()) {
        FloatMatrix block = weights(arena, first, k);
        LearnProblem problem = new LearnProblem.Rows(block, 0, false, false, false);
        List<BlockTransform> blocks =
            maker(BlockDiagonal.Kind.LEARNED, k, "start").learn(problem, first);
        sums.add(encode(arena, block, new SlabTransforms.Blocks(Side.OUTPUT, blocks)));
      }
    }
    return sums.relative();
  }

  private BlockMaker maker(BlockDiagonal.Kind kind, int k, String purpose) {
    BlockDiagonal spec = new BlockDiagonal(kind, Side.OUTPUT, k, TransformStorage.INT8);
    return new BlockMaker(
        learner,
        spec,
        Loss.P_NORM,
        STEPS,
        channel -> Seeds.of(seed, "blocksize", channel, purpose),
        stop);
  }

  private EncodedSlab encode(Arena arena, FloatMatrix weights, SlabTransforms transforms) {
    stop.check();
    GridSpec grid = new GridSpec(4, 0, ScaleStorage.ZERO_POINT, 8, true);
    SlabBuffers buffers = new SlabBuffers(arena, grid, weights.rows(), weights.columns());
    return lane.encoder()
        .encode(
            weights, grid, transforms, InputMetric.NONE, new RoundingRule.NearestPlane(), buffers);
  }

  private FloatMatrix weights(Arena arena, int first, int count) {
    FloatMatrix weights = FloatMatrix.allocate(arena, count, COLUMNS);
    for (int row = 0; row < count; row++) {
      SplittableRandom random =
          new SplittableRandom(Seeds.of(seed, "blocksize", first + row, "weights"));
      double[] values = Seeds.gaussians(random, COLUMNS);
      for (int c = 0; c < COLUMNS; c++) {
        weights.set(row, c, (float) values[c]);
      }
    }
    return weights;
  }

  private static final class Sums {
    private double error;
    private double norm;

    private void add(EncodedSlab slab) {
      error += slab.squaredError();
      norm += slab.squaredNorm();
    }

    private double relative() {
      return Math.sqrt(error / norm);
    }
  }
}
