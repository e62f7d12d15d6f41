package io.cafeq.engine.budget;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransforms;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * Measures what a transform gains on one matrix: some of its blocks, chosen at random, are made as they would be for the result,
 * stored, and a part of what they act on is rounded with and without them. Borrows lane and reader; not thread-safe.
 */
final class TransformProbe {
  /** Enough for the gain to be that of many steps within a few per cent. */
  private static final int MOST_STEPS = 100;
  private static final int EVALUATED_WEIGHTS = 1 << 14;
  /** Groups that a block is learned for where they are free. */
  private static final int USUAL_GROUP = 64;
  private static final int FEWEST_CHANNELS = 64;
  private static final int USUAL_STRIPE = 128;
  private static final int WIDEST_STRIPE = 1024;
  private static final int[] SIZES = {32, 64, 128, 256};

  private final ComputeLane lane;
  private final TensorReader reader;
  private final StopFlag stop;

  TransformProbe(ComputeLane lane, TensorReader reader, StopFlag stop) {
    this.lane = lane;
    this.reader = reader;
    this.stop = stop;
  }

  Gains measure(Matrix matrix, Freedom freedom, BlockDiagonal spec, GridCandidates candidates) {
    try (Arena arena = Arena.ofConfined()) {
      return switch (spec.side()) {
        case OUTPUT -> outputSide(arena, matrix, freedom, spec, candidates);
        case INPUT -> inputSide(arena, matrix, freedom, spec, candidates);
      };
    }
  }

  private Gains outputSide(
      Arena arena, Matrix matrix, Freedom freedom, BlockDiagonal spec, GridCandidates candidates) {
    int k = spec.block();
    int group = freedom.group().orElse(matrix.columns() >= USUAL_GROUP ? USUAL_GROUP : 0);
    int columns = group == 0 ? matrix.columns() : matrix.columns() / group * group;
    int height = Math.min(matrix.rows() / k, Math.max(1, FEWEST_CHANNELS / k)) * k;
    int first = chosen(freedom, matrix, spec, matrix.rows() / height) * height;
    FloatMatrix rows = FloatMatrix.allocate(arena, height, columns);
    matrix.read(reader, first, 0, rows);
    boolean symmetric = candidates.storages(spec.side()).getFirst() == ScaleStorage.SYMMETRIC;
    List<BlockTransform> blocks = new ArrayList<>();
    for (int done = 0; done < height; done += k) {
      LearnProblem problem = new LearnProblem.Rows(rows.slice(done, k), group, symmetric, false, false);
      blocks.addAll(make(problem, first + done, freedom, matrix, spec, false));
    }
    List<Integer> sizes = sizes(freedom, Integer.MAX_VALUE / 1024 * 1024, columns);
    int piece = sizes.stream().allMatch(size -> size == 0) ? columns : sizes.stream().reduce(1, Math::max);
    int pieces = Math.clamp(EVALUATED_WEIGHTS / height / piece, 1, columns / piece);
    FloatMatrix evaluated = FloatMatrix.allocate(arena, height, pieces * piece);
    for (int i = 0; i < pieces; i++) {
      int from = (int) ((long) i * (columns / piece) / pieces) * piece;
      for (int row = 0; row < height; row++) {
        copy(rows, row, from, evaluated, row, i * piece, piece);
      }
    }
    return gains(arena, evaluated, new SlabTransforms.Blocks(spec.side(), blocks), freedom, sizes, candidates);
  }

  private Gains inputSide(
      Arena arena, Matrix matrix, Freedom freedom, BlockDiagonal spec, GridCandidates candidates) {
    int k = spec.block();
    int width = stripe(freedom, k, matrix.columns());
    int group = freedom.group().orElse(USUAL_GROUP);
    boolean wholeGroups = group != 0 && width % group == 0;
    int first = chosen(freedom, matrix, spec, matrix.columns() / width) * width;
    FloatMatrix stripe = FloatMatrix.allocate(arena, matrix.rows(), width);
    matrix.read(reader, 0, first, stripe);
    boolean symmetric = candidates.storages(spec.side()).getFirst() == ScaleStorage.SYMMETRIC;
    List<BlockTransform> blocks = new ArrayList<>();
    if (wholeGroups) {
      List<Integer> blockSizes = new ArrayList<>();
      for (int done = 0; done < width; done += k) {
        blockSizes.add(k);
      }
      blocks.addAll(
          make(new LearnProblem.Stripe(stripe, blockSizes, group, symmetric), first, freedom, matrix, spec, false));
    } else {
      for (int at = 0; at < width; at += k) {
        FloatMatrix columns = FloatMatrix.allocate(arena, matrix.rows(), k);
        for (int row = 0; row < matrix.rows(); row++) {
          copy(stripe, row, at, columns, row, 0, k);
        }
        blocks.addAll(
            make(new LearnProblem.Rows(columns, 0, symmetric, true, true), first + at, freedom, matrix, spec, true));
      }
    }
    int rows = Math.clamp(EVALUATED_WEIGHTS / width, 1, matrix.rows());
    FloatMatrix evaluated = FloatMatrix.allocate(arena, rows, width);
    for (int i = 0; i < rows; i++) {
      copy(stripe, (int) ((long) i * matrix.rows() / rows), 0, evaluated, i, 0, width);
    }
    return gains(
        arena, evaluated, new SlabTransforms.Blocks(spec.side(), blocks), freedom, sizes(freedom, width, width), candidates);
  }

  /** Input channels that are looked at: whole groups and whole blocks where they fit, else a few blocks. */
  private static int stripe(Freedom freedom, int k, int columns) {
    int most = columns / k * k;
    int wanted = freedom.group().orElse(USUAL_STRIPE);
    if (wanted == 0) {
      return Math.min(most, 4 * k);
    }
    long together = (long) wanted / greatestCommonDivisor(wanted, k) * k;
    return (int) (together <= Math.min(most, WIDEST_STRIPE) ? together : Math.min(most, Math.max(k, USUAL_STRIPE / k * k)));
  }

  private static int greatestCommonDivisor(int a, int b) {
    return b == 0 ? a : greatestCommonDivisor(b, a % b);
  }

  /** Sizes of groups to measure on that many columns; 0 alone where none divides them. */
  private static List<Integer> sizes(Freedom freedom, int columns, int most) {
    List<Integer> sizes = new ArrayList<>();
    if (freedom.group().isPresent()) {
      int group = freedom.group().getAsInt();
      return List.of(group == 0 || columns % group != 0 ? 0 : group);
    }
    for (int size : SIZES) {
      if (columns % size == 0 && size <= most) {
        sizes.add(size);
      }
    }
    return sizes.isEmpty() ? List.of(0) : sizes;
  }

  private static int chosen(Freedom freedom, Matrix matrix, BlockDiagonal spec, int count) {
    long seed = Seeds.of(freedom.seed(), matrix.name(), spec.block(), spec.side().text() + "-probe");
    return new SplittableRandom(seed).nextInt(Math.max(1, count));
  }

  private List<BlockTransform> make(
      LearnProblem problem, int firstChannel, Freedom freedom, Matrix matrix, BlockDiagonal spec, boolean balance) {
    List<double[]> starts = new ArrayList<>();
    int channel = firstChannel;
    for (int k : problem.blocks()) {
      starts.add(Orthogonal.rotation(
          k, Seeds.of(freedom.seed(), matrix.name(), channel, spec.side().text() + "-probe-transform")));
      channel += k;
    }
    List<double[]> made = switch (spec.kind()) {
      case LEARNED -> learn(problem, starts, Math.min(freedom.steps(), Integer.getInteger("steps", MOST_STEPS)), balance);
      case ROTATION, HADAMARD -> starts;
    };
    List<BlockTransform> blocks = new ArrayList<>();
    channel = firstChannel;
    for (int b = 0; b < made.size(); b++) {
      int k = problem.blocks().get(b);
      blocks.add(stored(spec, channel, k, made.get(b), starts.get(b)));
      channel += k;
    }
    return blocks;
  }

  private List<double[]> learn(LearnProblem problem, List<double[]> starts, int steps, boolean balance) {
    try (Objective objective = lane.objective(problem)) {
      List<double[]> learned = BlockLearner.learn(objective, problem.blocks(), starts, steps, stop);
      if (balance) {
        double[] shares = objective.hardShares(learned);
        double[] m = learned.getFirst();
        int k = shares.length;
        for (int i = 0; i < m.length; i++) {
          double range = Math.sqrt(shares[i / k]);
          m[i] = range > 0 ? m[i] / range : m[i];
        }
      }
      return learned;
    }
  }

  private static BlockTransform stored(BlockDiagonal spec, int channel, int k, double[] m, double[] start) {
    TransformStorage storage = spec.storage();
    double[] inverse = SquareMatrices.invert(m, k);
    if (SquareMatrices.isFinite(inverse)) {
      var block = BlockTransform.of(StoredTransforms.store(spec.side(), channel, k, inverse, storage));
      if (block.isPresent()) {
        return block.get();
      }
    }
    return BlockTransform.of(
            StoredTransforms.store(spec.side(), channel, k, SquareMatrices.transpose(start, k), storage))
        .orElseThrow();
  }

  private Gains gains(
      Arena arena,
      FloatMatrix sample,
      SlabTransforms transforms,
      Freedom freedom,
      List<Integer> sizes,
      GridCandidates candidates) {
    SlabEncoder encoder = lane.encoder();
    Side side = ((SlabTransforms.Blocks) transforms).side();
    Map<Gains.Key, NavigableMap<Integer, Double>> ratios = new HashMap<>();
    for (int bits : candidates.bits()) {
      for (int size : sizes) {
        stop.check();
        double plain = encoder.plainError(sample, grid(bits, size, candidates.reference(), freedom));
        for (ScaleStorage storage : candidates.storages(side)) {
          GridSpec grid = grid(bits, size, storage, freedom);
          double error;
          try (Arena room = Arena.ofConfined()) {
            SlabBuffers buffers = new SlabBuffers(room, grid, sample.rows(), sample.columns());
            error = encoder.encode(sample, grid, transforms, freedom.rounding(), buffers).squaredError();
          }
          ratios.computeIfAbsent(new Gains.Key(bits, storage), key -> new TreeMap<>())
              .put(grid.groupSize(sample.columns()), plain > 0 ? error / plain : 1);
        }
      }
    }
    return new Gains(ratios);
  }

  private static GridSpec grid(int bits, int size, ScaleStorage storage, Freedom freedom) {
    return new GridSpec(bits, size, storage, freedom.scaleBits(), freedom.clip());
  }

  private static void copy(
      FloatMatrix from, int row, int column, FloatMatrix to, int targetRow, int targetColumn, int count) {
    MemorySegment.copy(
        from.segment(),
        Float.BYTES * ((long) row * from.columns() + column),
        to.segment(),
        Float.BYTES * ((long) targetRow * to.columns() + targetColumn),
        (long) Float.BYTES * count);
  }
}
