package io.cafeq.engine.compute;

import io.cafeq.config.Loss;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransform;
import io.cafeq.engine.transform.StoredTransforms;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToLongFunction;

/**
 * Makes blocks of a transform as they will be stored, learned or at random. Borrows the lane; not
 * thread-safe.
 */
public final class BlockMaker {
  private final ComputeLane lane;
  private final BlockDiagonal spec;
  private final Loss loss;
  private final int steps;
  private final IntToLongFunction seed;
  private final StopFlag stop;

  /**
   * @param seed of the block that begins at a channel
   */
  public BlockMaker(
      ComputeLane lane,
      BlockDiagonal spec,
      Loss loss,
      int steps,
      IntToLongFunction seed,
      StopFlag stop) {
    this.lane = lane;
    this.spec = spec;
    this.loss = loss;
    this.steps = steps;
    this.seed = seed;
    this.stop = stop;
  }

  /**
   * The blocks of a problem, the first of which begins at {@code firstChannel}; starts from random
   * rotations.
   */
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

  private List<BlockTransform> learn(LearnProblem problem, int firstChannel, boolean balance) {
    List<double[]> starts = new ArrayList<>();
    int channel = firstChannel;
    for (int k : problem.blocks()) {
      starts.add(Orthogonal.rotation(k, seed.applyAsLong(channel)));
      channel += k;
    }
    List<BlockTransform> blocks = new ArrayList<>();
    try (Objective objective = lane.objective(problem)) {
      List<double[]> learned =
          BlockLearner.learn(objective, problem.blocks(), starts, loss, steps, stop);
      if (balance) {
        balance(learned.getFirst(), objective.hardShares(learned));
      }
      channel = firstChannel;
      for (int b = 0; b < learned.size(); b++) {
        int k = problem.blocks().get(b);
        blocks.add(finish(channel, k, SquareMatrices.invert(learned.get(b), k), starts.get(b)));
        channel += k;
      }
    }
    return blocks;
  }

  /** Divides the rows of M by the ranges that they give. */
  private static void balance(double[] m, double[] shares) {
    int k = shares.length;
    for (int j = 0; j < k; j++) {
      double range = Math.sqrt(shares[j]);
      for (int i = j * k; range > 0 && i < (j + 1) * k; i++) {
        m[i] /= range;
      }
    }
  }

  /** Hadamard blocks with random signs, or random rotations. */
  public List<BlockTransform> random(int firstChannel, List<Integer> sizes) {
    List<BlockTransform> blocks = new ArrayList<>();
    int channel = firstChannel;
    for (int k : sizes) {
      long start = seed.applyAsLong(channel);
      blocks.add(
          switch (spec.kind()) {
            case HADAMARD -> usable(StoredTransforms.hadamard(spec.side(), channel, k, start));
            case ROTATION, LEARNED -> rotation(channel, k, Orthogonal.rotation(k, start));
          });
      channel += k;
    }
    return blocks;
  }

  /** What was learned, or the start where rounding to the storage made it singular. */
  private BlockTransform finish(int channel, int k, double[] inverse, double[] start) {
    if (SquareMatrices.isFinite(inverse)) {
      StoredTransform stored =
          StoredTransforms.store(spec.side(), channel, k, inverse, spec.storage());
      return BlockTransform.of(stored).orElseGet(() -> rotation(channel, k, start));
    }
    return rotation(channel, k, start);
  }

  private BlockTransform rotation(int channel, int k, double[] rotation) {
    return usable(
        StoredTransforms.store(
            spec.side(), channel, k, SquareMatrices.transpose(rotation, k), spec.storage()));
  }

  private static BlockTransform usable(StoredTransform stored) {
    return BlockTransform.of(stored)
        .orElseThrow(
            () ->
                new IllegalStateException("a rotation of size " + stored.k() + " became singular"));
  }
}
