package io.cafeq.engine.compute;

import io.cafeq.engine.transform.LearnProblem;
import java.util.List;

/** The size of a learning task, known before its weights are read. */
public sealed interface LearningShape {
  /** Weights that the task is about. */
  long weights();

  /** Channels of all blocks together that are held at once, squared and summed. */
  long squares();

  /** Native bytes that reading the task takes. */
  long readBytes();

  /**
   * Blocks that are learned together.
   *
   * @param positions that each channel has
   * @param sizes of the blocks, in channel order
   */
  record Blocks(long positions, List<Integer> sizes, long readBytes) implements LearningShape {
    public Blocks {
      sizes = List.copyOf(sizes);
    }

    /** Of a problem whose weights are in memory already. */
    static Blocks of(LearnProblem problem) {
      int channels = problem.blocks().stream().mapToInt(size -> size).sum();
      return new Blocks(problem.weights().elements() / channels, problem.blocks(), 0);
    }

    /** Channels of all blocks. */
    public int channels() {
      return sizes.stream().mapToInt(size -> size).sum();
    }

    @Override
    public long weights() {
      return positions * channels();
    }

    @Override
    public long squares() {
      return sizes.stream().mapToLong(size -> (long) size * size).sum();
    }
  }

  /**
   * One head of a pair.
   *
   * @param channels that both factors have in common
   * @param left positions of the left factor
   * @param right positions of the right factor, all heads that share the left one together
   */
  record Pair(int channels, long left, long right, long readBytes) implements LearningShape {
    @Override
    public long weights() {
      return channels * (left + right);
    }

    @Override
    public long squares() {
      return (long) channels * channels;
    }
  }
}
