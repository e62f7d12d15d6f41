package io.cafeq.engine.compute;

import io.cafeq.config.Loss;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransform;
import io.cafeq.engine.transform.StoredTransforms;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntToLongFunction;

/** Makes blocks of a transform as they will be stored, learned or at random. Immutable. */
public final class BlockMaker {
  private final Learner learner;
  private final BlockDiagonal spec;
  private final Loss loss;
  private final int steps;
  private final IntToLongFunction seed;
  private final StopFlag stop;

  /**
   * @param seed of the block that begins at a channel
   */
  public BlockMaker(
      Learner learner,
      BlockDiagonal spec,
      Loss loss,
      int steps,
      IntToLongFunction seed,
      StopFlag stop) {
    this.learner = learner;
    this.spec = spec;
    this.loss = loss;
    this.steps = steps;
    this.seed = seed;
    this.stop = stop;
  }

  /**
   * Blocks that are to be learned together.
   *
   * @param balanced whether they are one block, whose rows are divided by the ranges that they give
   *     in the end
   * @param problem reads the weights
   */
  public record Wanted(
      int firstChannel,
      LearningShape.Blocks shape,
      boolean balanced,
      Function<Arena, LearnProblem> problem) {}

  /** Asks the learner for all of these; each starts from random rotations. */
  public Learning submit(List<Wanted> batch) {
    return learner.submit(batch.stream().map(this::task).toList(), stop);
  }

  private LearningTask task(Wanted wanted) {
    return new LearningTask.Blocks(
        wanted.shape(),
        loss,
        steps,
        wanted.balanced(),
        arena -> new LearningTask.BlockStart(wanted.problem().apply(arena), starts(wanted)));
  }

  private List<double[]> starts(Wanted wanted) {
    List<double[]> starts = new ArrayList<>();
    int channel = wanted.firstChannel();
    for (int k : wanted.shape().sizes()) {
      starts.add(start(channel, k));
      channel += k;
    }
    return starts;
  }

  private double[] start(int channel, int k) {
    return Orthogonal.rotation(k, seed.applyAsLong(channel));
  }

  /** Waits for the next of what was asked for. */
  public List<BlockTransform> take(Learning learning, Wanted wanted) {
    List<double[]> learned = learning.next().blocks();
    List<BlockTransform> blocks = new ArrayList<>();
    int channel = wanted.firstChannel();
    for (double[] m : learned) {
      int k = wanted.shape().sizes().get(blocks.size());
      blocks.add(finish(channel, k, SquareMatrices.invert(m, k)));
      channel += k;
    }
    return blocks;
  }

  /** Learns the blocks of a problem, the first of which begins at {@code firstChannel}. */
  public List<BlockTransform> learn(LearnProblem problem, int firstChannel) {
    return learn(problem, firstChannel, false);
  }

  /**
   * The same for a problem of one block, whose rows are divided by the ranges that they give in the
   * end.
   */
  public List<BlockTransform> learnBalanced(LearnProblem problem, int firstChannel) {
    return learn(problem, firstChannel, true);
  }

  private List<BlockTransform> learn(LearnProblem problem, int firstChannel, boolean balanced) {
    Wanted wanted =
        new Wanted(firstChannel, LearningShape.Blocks.of(problem), balanced, arena -> problem);
    try (Learning learning = submit(List.of(wanted))) {
      return take(learning, wanted);
    }
  }

  /** Hadamard blocks with random signs, or random rotations. */
  public List<BlockTransform> random(int firstChannel, List<Integer> sizes) {
    List<BlockTransform> blocks = new ArrayList<>();
    int channel = firstChannel;
    for (int k : sizes) {
      blocks.add(
          switch (spec.kind()) {
            case HADAMARD ->
                usable(
                    StoredTransforms.hadamard(spec.side(), channel, k, seed.applyAsLong(channel)));
            case ROTATION, LEARNED -> rotation(channel, k);
          });
      channel += k;
    }
    return blocks;
  }

  /** What was learned, or the start where rounding to the storage made it singular. */
  private BlockTransform finish(int channel, int k, double[] inverse) {
    if (SquareMatrices.isFinite(inverse)) {
      StoredTransform stored =
          StoredTransforms.store(spec.side(), channel, k, inverse, spec.storage());
      return BlockTransform.of(stored).orElseGet(() -> rotation(channel, k));
    }
    return rotation(channel, k);
  }

  private BlockTransform rotation(int channel, int k) {
    return usable(
        StoredTransforms.store(
            spec.side(),
            channel,
            k,
            SquareMatrices.transpose(start(channel, k), k),
            spec.storage()));
  }

  private static BlockTransform usable(StoredTransform stored) {
    return BlockTransform.of(stored)
        .orElseThrow(
            () ->
                new IllegalStateException("a rotation of size " + stored.k() + " became singular"));
  }
}
