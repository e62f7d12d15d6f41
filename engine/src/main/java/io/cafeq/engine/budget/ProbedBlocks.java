package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransform;
import io.cafeq.engine.transform.StoredTransforms;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.List;

/** Makes blocks to be tried, learned or at random, and rounds them to what would be stored. Borrows the lane. */
final class ProbedBlocks {
  /** More steps would say little more about which block is worth its bits. */
  private static final int MOST_STEPS = 100;

  private final Recipe recipe;
  private final Piece piece;
  private final BlockDiagonal spec;
  private final ComputeLane lane;
  private final StopFlag stop;

  ProbedBlocks(Recipe recipe, Piece piece, BlockDiagonal spec, ComputeLane lane, StopFlag stop) {
    this.recipe = recipe;
    this.piece = piece;
    this.spec = spec;
    this.lane = lane;
    this.stop = stop;
  }

  List<BlockTransform> make(LearnProblem problem, int firstChannel) {
    return make(problem, firstChannel, false);
  }

  /** The problem is of one block, whose rows are divided by the ranges that they give. */
  List<BlockTransform> makeBalanced(LearnProblem problem, int firstChannel) {
    return make(problem, firstChannel, true);
  }

  private List<BlockTransform> make(LearnProblem problem, int firstChannel, boolean balance) {
    List<double[]> starts = new ArrayList<>();
    int channel = firstChannel;
    for (int k : problem.blocks()) {
      starts.add(Orthogonal.rotation(k, seed(channel)));
      channel += k;
    }
    List<double[]> made = switch (spec.kind()) {
      case LEARNED -> learn(problem, starts, balance);
      case ROTATION, HADAMARD -> starts;
    };
    List<BlockTransform> blocks = new ArrayList<>();
    channel = firstChannel;
    for (int b = 0; b < made.size(); b++) {
      int k = problem.blocks().get(b);
      blocks.add(stored(channel, k, made.get(b), starts.get(b)));
      channel += k;
    }
    return blocks;
  }

  private List<double[]> learn(LearnProblem problem, List<double[]> starts, boolean balance) {
    try (Objective objective = lane.objective(problem)) {
      int steps = Math.min(recipe.steps(), MOST_STEPS);
      List<double[]> learned = BlockLearner.learn(objective, problem.blocks(), starts, recipe.loss(), steps, stop);
      if (balance) {
        double[] shares = objective.hardShares(learned);
        double[] m = learned.getFirst();
        for (int i = 0; i < m.length; i++) {
          double range = Math.sqrt(shares[i / shares.length]);
          m[i] = range > 0 ? m[i] / range : m[i];
        }
      }
      return learned;
    }
  }

  /** What was made, or the start where rounding to the storage made it singular. */
  private BlockTransform stored(int channel, int k, double[] m, double[] start) {
    StoredTransform stored = switch (spec.kind()) {
      case HADAMARD -> StoredTransforms.hadamard(spec.side(), channel, k, seed(channel));
      case LEARNED, ROTATION -> {
        double[] inverse = SquareMatrices.invert(m, k);
        yield StoredTransforms.store(
            spec.side(), channel, k,
            SquareMatrices.isFinite(inverse) ? inverse : SquareMatrices.transpose(start, k), spec.storage());
      }
    };
    return BlockTransform.of(stored).orElseGet(() -> BlockTransform.of(StoredTransforms.store(
            spec.side(), channel, k, SquareMatrices.transpose(start, k), spec.storage()))
        .orElseThrow(() -> new IllegalStateException("a rotation of size " + k + " became singular")));
  }

  private long seed(int channel) {
    return Seeds.of(recipe.seed(), piece.name(), channel, "budget-" + spec.side().text() + "-transform");
  }
}
