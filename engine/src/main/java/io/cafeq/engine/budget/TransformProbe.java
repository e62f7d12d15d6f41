package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.budget.PieceInputs.Channels;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.BlockMaker;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.quantize.LearningMetrics;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Measures what a transform gains on one piece: some of its blocks, chosen at random, are made as
 * they would be for the result, stored, and a part of what they act on is rounded with and without
 * them. Borrows lane and reader; not thread-safe.
 */
final class TransformProbe {
  /** More steps would say little more about which block is worth its bits. */
  private static final int MOST_STEPS = 100;

  private static final int EVALUATED_WEIGHTS = 1 << 14;

  /** A few small blocks say more than one. */
  private static final int FEWEST_CHANNELS = 64;

  /**
   * Groups that blocks are learned for, and input channels that are looked at, where groups are
   * free.
   */
  private static final int USUAL_GROUP = 64;

  private static final int USUAL_STRIPE = 128;

  /** The same for blocks of at most 32: they gain unevenly, and cost little. */
  private static final int STRIPE_OF_SMALL_BLOCKS = 256;

  private static final int SMALL_BLOCK = 32;
  private static final int WIDEST_STRIPE = 1024;

  /** Sizes of groups that gains are measured for where groups are free. */
  private static final List<Integer> SIZES = List.of(32, 64, 128, 256);

  private final Recipe recipe;
  private final PieceInputs inputs;
  private final Learner learner;
  private final ComputeLane lane;
  private final TensorReader reader;
  private final StopFlag stop;

  TransformProbe(
      Recipe recipe,
      PieceInputs inputs,
      Learner learner,
      ComputeLane lane,
      TensorReader reader,
      StopFlag stop) {
    this.learner = learner;
    this.recipe = recipe;
    this.inputs = inputs;
    this.lane = lane;
    this.reader = reader;
    this.stop = stop;
  }

  Gains measure(Piece piece, BlockDiagonal spec) {
    GridCandidates candidates = new GridCandidates(piece.settings(), recipe, piece.columns());
    try (Arena arena = Arena.ofConfined()) {
      Optional<InputMoments> moments = inputs.moments(piece, arena);
      return switch (spec.side()) {
        case OUTPUT -> outputSide(arena, piece, spec, candidates, moments);
        case INPUT -> inputSide(arena, piece, spec, candidates, moments);
      };
    }
  }

  /**
   * Native bytes that a measurement takes at most: what it reads, the learner's copy and matrices,
   * a sample.
   */
  static long memoryNeeded(Piece piece, BlockDiagonal spec, PieceInputs inputs) {
    long entries =
        switch (spec.side()) {
          case OUTPUT -> (long) Math.max(spec.block(), FEWEST_CHANNELS) * piece.columns();
          case INPUT -> (long) stripe(piece, spec.block()) * piece.rows();
        };
    // of moments all are read, and those of the sample, never more than all, are copied and
    // factored
    return 3 * Float.BYTES * entries + 4 * inputs.bytes(piece) + (16L << 20);
  }

  private BlockMaker maker(Piece piece, BlockDiagonal spec) {
    return new BlockMaker(
        learner,
        spec,
        recipe.transform().loss(),
        Math.min(recipe.transform().steps(), MOST_STEPS),
        channel ->
            Seeds.of(
                recipe.seed(),
                piece.name(),
                channel,
                "budget-" + spec.side().text() + "-transform"),
        stop);
  }

  private static List<BlockTransform> make(
      BlockMaker maker, BlockDiagonal spec, LearnProblem problem, int firstChannel) {
    return switch (spec.kind()) {
      case LEARNED -> maker.learn(problem, firstChannel);
      case ROTATION, HADAMARD -> maker.random(firstChannel, problem.blocks());
    };
  }

  private Gains outputSide(
      Arena arena,
      Piece piece,
      BlockDiagonal spec,
      GridCandidates candidates,
      Optional<InputMoments> moments) {
    int k = spec.block();
    int group = fixedGroup(piece, candidates, piece.columns() >= USUAL_GROUP ? USUAL_GROUP : 0);
    int columns = group == 0 ? piece.columns() : piece.columns() / group * group;
    int channels = piece.ranges().getFirst().count();
    int height = Math.min(channels / k, Math.max(1, FEWEST_CHANNELS / k)) * k;
    int first = chosen(piece, spec, channels / height) * height;
    FloatMatrix rows = FloatMatrix.allocate(arena, height, columns);
    piece.read(reader, first, 0, rows);
    Optional<InputMoments> own = own(piece, rows, 0, moments, arena);
    BlockMaker maker = maker(piece, spec);
    double[] weights =
        own.map(known -> new LearningMetrics(known, 0, recipe.rounding()))
            .map(known -> known.groupWeights(group))
            .orElseGet(() -> new double[0]);
    List<BlockTransform> made = new ArrayList<>();
    for (int done = 0; done < height; done += k) {
      made.addAll(
          make(
              maker,
              spec,
              new LearnProblem.Rows(
                      rows.slice(done, k), group, symmetric(spec.side(), candidates), false, false)
                  .weighted(weights),
              first + done));
    }
    List<Integer> sizes =
        piece.settings().group().isPresent()
            ? List.of(group)
            : orWhole(SIZES.stream().filter(size -> size <= columns).toList());
    int width = sizes.contains(0) ? columns : Collections.max(sizes);
    int pieces = Math.clamp(EVALUATED_WEIGHTS / height / width, 1, columns / width);
    FloatMatrix sample = FloatMatrix.allocate(arena, height, pieces * width);
    List<Channels> sampled = new ArrayList<>();
    for (int i = 0; i < pieces; i++) {
      int from = (int) ((long) i * (columns / width) / pieces) * width;
      sampled.add(new Channels(from, width));
      for (int row = 0; row < height; row++) {
        copy(rows, row, from, sample, row, i * width, width);
      }
    }
    InputMetric metric = metric(own, sampled, arena);
    return gains(
        sample,
        new SlabTransforms.Blocks(spec.side(), made),
        new Metrics(metric, metric),
        sizes,
        candidates);
  }

  private Gains inputSide(
      Arena arena,
      Piece piece,
      BlockDiagonal spec,
      GridCandidates candidates,
      Optional<InputMoments> moments) {
    int k = spec.block();
    int width = stripe(piece, k);
    int group = fixedGroup(piece, candidates, USUAL_GROUP);
    int first = chosen(piece, spec, piece.columns() / width) * width;
    FloatMatrix stripe = FloatMatrix.allocate(arena, piece.rows(), width);
    piece.read(reader, 0, first, stripe);
    Optional<InputMoments> own = own(piece, stripe, first, moments, arena);
    BlockMaker maker = maker(piece, spec);
    boolean symmetric = symmetric(spec.side(), candidates);
    Optional<LearningMetrics> known =
        own.map(scaled -> new LearningMetrics(scaled, 0, recipe.rounding()));
    List<BlockTransform> made = new ArrayList<>();
    if (group != 0 && width % group == 0) {
      made.addAll(
          make(
              maker,
              spec,
              new LearnProblem.Stripe(
                  stripe,
                  Collections.nCopies(width / k, k),
                  group,
                  symmetric,
                  channelMetric(known, 0, Collections.nCopies(width / k, k))),
              first));
    } else {
      FloatMatrix columns = FloatMatrix.allocate(arena, piece.rows(), k);
      for (int at = 0; at < width; at += k) {
        for (int row = 0; row < piece.rows(); row++) {
          copy(stripe, row, at, columns, row, 0, k);
        }
        LearnProblem problem =
            new LearnProblem.Rows(columns, 0, symmetric, true, true)
                .in(channelMetric(known, at, List.of(k)));
        made.addAll(
            switch (spec.kind()) {
              case LEARNED -> maker.learnBalanced(problem, first + at);
              case ROTATION, HADAMARD -> maker.random(first + at, problem.blocks());
            });
      }
    }
    List<Integer> sizes =
        piece.settings().group().isPresent()
            ? List.of(group != 0 && width % group == 0 ? group : 0)
            : orWhole(SIZES.stream().filter(size -> width % size == 0).toList());
    int rows = Math.clamp(EVALUATED_WEIGHTS / width, 1, piece.rows());
    FloatMatrix sample = FloatMatrix.allocate(arena, rows, width);
    for (int i = 0; i < rows; i++) {
      copy(stripe, (int) ((long) i * piece.rows() / rows), 0, sample, i, 0, width);
    }
    InputMetric metric = metric(own, List.of(new Channels(0, width)), arena);
    InputMetric transformed = metric.under(beginningAtZero(made, first), lane.products(), arena);
    return gains(
        sample,
        new SlabTransforms.Blocks(spec.side(), made),
        new Metrics(metric, transformed),
        sizes,
        candidates);
  }

  /** Moments of the columns that were read, from a channel on; both scaled where the piece is. */
  private static Optional<InputMoments> own(
      Piece piece, FloatMatrix read, int first, Optional<InputMoments> moments, Arena arena) {
    Optional<InputMoments> own =
        moments.map(
            whole -> PieceInputs.of(whole, List.of(new Channels(first, read.columns())), arena));
    own.ifPresent(known -> PieceInputs.scale(piece, read, known));
    return own;
  }

  private static ChannelMetric channelMetric(
      Optional<LearningMetrics> known, int firstChannel, List<Integer> sizes) {
    return known.map(metrics -> metrics.blocks(firstChannel, sizes)).orElse(ChannelMetric.NONE);
  }

  /** Of the sampled channels, as if they were all there are. */
  private InputMetric metric(Optional<InputMoments> moments, List<Channels> sampled, Arena arena) {
    return moments
        .map(
            whole ->
                InputMetric.of(PieceInputs.of(whole, sampled, arena), 0, lane.products(), arena))
        .orElse(InputMetric.NONE);
  }

  /**
   * Input channels that are looked at: whole groups and whole blocks where they fit, else a few
   * blocks.
   */
  private static int stripe(Piece piece, int k) {
    int most = piece.columns() / k * k;
    int usual = k <= SMALL_BLOCK ? STRIPE_OF_SMALL_BLOCKS : USUAL_STRIPE;
    int wanted = piece.settings().group().orElse(usual);
    if (wanted == 0) {
      return Math.min(most, 4 * k);
    }
    long together = TransformSpec.channelsTogether(wanted, k);
    boolean fits = together <= Math.min(most, WIDEST_STRIPE);
    return fits ? (int) together : Math.min(most, Math.max(k, usual / k * k));
  }

  private static int fixedGroup(Piece piece, GridCandidates candidates, int otherwise) {
    return piece.settings().group().isPresent() ? candidates.groups().getFirst() : otherwise;
  }

  private static List<Integer> orWhole(List<Integer> sizes) {
    return sizes.isEmpty() ? List.of(0) : sizes;
  }

  private static boolean symmetric(Side side, GridCandidates candidates) {
    return candidates.storages(side).getFirst() == ScaleStorage.SYMMETRIC;
  }

  private int chosen(Piece piece, BlockDiagonal spec, int count) {
    String purpose = "budget-" + spec.side().text() + "-" + spec.block();
    return new SplittableRandom(Seeds.of(recipe.seed(), piece.name(), piece.firstRow(), purpose))
        .nextInt(Math.max(1, count));
  }

  /** Of the sample's columns, as they are and as they are rounded. */
  private record Metrics(InputMetric plain, InputMetric transformed) {}

  private Gains gains(
      FloatMatrix sample,
      SlabTransforms.Blocks transforms,
      Metrics metrics,
      List<Integer> sizes,
      GridCandidates candidates) {
    SlabEncoder encoder = lane.encoder();
    RoundingRule rule = RoundingRule.of(recipe.rounding(), recipe.seed(), 0);
    Gains.Builder gains = new Gains.Builder();
    for (int bits : candidates.bits()) {
      for (int size : sizes) {
        stop.check();
        double plain =
            plain(sample, candidates.grid(bits, size, candidates.reference()), metrics.plain());
        for (ScaleStorage storage : candidates.storages(transforms.side())) {
          GridSpec grid = candidates.grid(bits, size, storage);
          try (Arena room = Arena.ofConfined()) {
            SlabBuffers buffers = new SlabBuffers(room, grid, sample.rows(), sample.columns());
            EncodedSlab slab =
                encoder.encode(sample, grid, transforms, metrics.transformed(), rule, buffers);
            double error =
                metrics.transformed().isNone() ? slab.squaredError() : slab.outputError();
            gains.add(grid, sample.columns(), plain > 0 ? error / plain : 1);
          }
        }
      }
    }
    return gains.build();
  }

  /** Squared error without a transform, by the baseline's rule with or without a metric. */
  private double plain(FloatMatrix sample, GridSpec grid, InputMetric metric) {
    if (metric.isNone()) {
      return lane.encoder().plainError(sample, grid, metric).squared();
    }
    try (Arena room = Arena.ofConfined()) {
      SlabBuffers buffers = new SlabBuffers(room, grid, sample.rows(), sample.columns());
      return lane.encoder()
          .encode(
              sample,
              grid,
              new SlabTransforms.None(),
              metric,
              GridCandidates.plainRule(recipe),
              buffers)
          .outputError();
    }
  }

  /** The same maps for a metric in which the stripe is all there is. */
  private static List<BlockTransform> beginningAtZero(List<BlockTransform> blocks, int first) {
    return blocks.stream()
        .map(
            block ->
                BlockTransform.of(
                        block.firstChannel() - first,
                        block.k(),
                        block.exactForward(),
                        block.exactTriangle())
                    .orElseThrow())
        .toList();
  }

  private static void copy(
      FloatMatrix from,
      int row,
      int column,
      FloatMatrix to,
      int targetRow,
      int targetColumn,
      int count) {
    MemorySegment.copy(
        from.segment(),
        Float.BYTES * ((long) row * from.columns() + column),
        to.segment(),
        Float.BYTES * ((long) targetRow * to.columns() + targetColumn),
        (long) Float.BYTES * count);
  }
}
