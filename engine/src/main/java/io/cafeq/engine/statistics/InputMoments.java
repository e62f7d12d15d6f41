package io.cafeq.engine.statistics;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Second moments of one input: the mean over tokens of x x^T, not yet damped, in blocks on the
 * diagonal; what is beyond them counts as 0. Borrows its memory.
 *
 * @param input whose moments these are
 * @param tokens that were seen
 * @param blocks in the order of the channels, all of them, without gaps; one where H is kept whole
 */
public record InputMoments(String input, long tokens, List<Block> blocks) {
  public InputMoments {
    blocks = List.copyOf(blocks);
  }

  /**
   * Some consecutive channels.
   *
   * @param moments [n, n], symmetric
   */
  public record Block(int firstChannel, FloatMatrix moments) {
    public int channels() {
      return moments.rows();
    }
  }

  /**
   * Moments of which the diagonal alone is known.
   *
   * @param arena that owns the blocks, {@link MomentBlocks#ofDiagonal}
   */
  public static InputMoments ofDiagonal(String input, long tokens, float[] diagonal, Arena arena) {
    MomentBlocks cut = MomentBlocks.ofDiagonal(diagonal.length);
    MemorySegment all = arena.allocate(cut.squareBytes(), 64);
    List<Block> blocks = new ArrayList<>();
    long at = 0;
    for (MomentBlocks.Span span : cut.spans()) {
      int size = span.count();
      long bytes = (long) size * size * Float.BYTES;
      FloatMatrix square = new FloatMatrix(all.asSlice(at, bytes), size, size);
      for (int i = 0; i < size; i++) {
        square.set(i, i, diagonal[span.first() + i]);
      }
      blocks.add(new Block(span.first(), square));
      at += bytes;
    }
    return new InputMoments(input, tokens, blocks);
  }

  /** Channels of the input. */
  public int channels() {
    return blocks.stream().mapToInt(Block::channels).sum();
  }

  /**
   * Means of the squares of all channels.
   *
   * @param raised added to each
   */
  public double[] diagonal(double raised) {
    double[] diagonal = new double[channels()];
    for (Block block : blocks) {
      for (int i = 0; i < block.channels(); i++) {
        diagonal[block.firstChannel() + i] = block.moments().get(i, i) + raised;
      }
    }
    return diagonal;
  }

  /**
   * Those of inputs whose channels are multiplied with factors, in place of these.
   *
   * @param factors [channels]
   */
  public void scale(float[] factors) {
    for (Block block : blocks) {
      FloatMatrix square = block.moments();
      int n = block.channels();
      float[] row = new float[n];
      for (int i = 0; i < n; i++) {
        long at = (long) i * n * Float.BYTES;
        MemorySegment.copy(square.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, n);
        float own = factors[block.firstChannel() + i];
        for (int j = 0; j < n; j++) {
          row[j] *= own * factors[block.firstChannel() + j];
        }
        MemorySegment.copy(row, 0, square.segment(), ValueLayout.JAVA_FLOAT, at, n);
      }
    }
  }

  /** Mean of the squares of all channels. */
  public double meanDiagonal() {
    double sum = 0;
    for (Block block : blocks) {
      for (int i = 0; i < block.channels(); i++) {
        sum += block.moments().get(i, i);
      }
    }
    return sum / channels();
  }
}
