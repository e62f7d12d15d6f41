package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.ChannelRows;
import io.cafeq.engine.transform.Gram;
import io.cafeq.engine.transform.SquareMatrices;

/**
 * The paired quantization error of a whole layer, from its factors piece by piece: ||O^ V^ - O V||^2 over all heads, as
 * tr(O^^T O^ V^ V^^T) - 2 tr(O^^T O V V^^T) + tr(O^T O V V^T) of h x h products in double. On the heap; not thread-safe.
 */
public final class PairProducts {
  private final int size;
  private final int count;
  private final Gram leftSelf;
  private final Gram leftCross;
  private final Gram leftOriginal;
  private final Gram rightSelf;
  private final Gram rightCross;
  private final Gram rightOriginal;

  /**
   * @param size channels of a head
   * @param count left heads
   */
  public PairProducts(int size, int count) {
    this.size = size;
    this.count = count;
    leftSelf = new Gram(size, count);
    leftCross = new Gram(size, count);
    leftOriginal = new Gram(size, count);
    rightSelf = new Gram(size, count);
    rightCross = new Gram(size, count);
    rightOriginal = new Gram(size, count);
  }

  /** All rows of one left head, [h, in] each. */
  public void addLeft(int head, FloatMatrix original, FloatMatrix effective) {
    ChannelRows source = new ChannelRows(original, Side.OUTPUT, 0, size);
    ChannelRows rounded = new ChannelRows(effective, Side.OUTPUT, 0, size);
    add(head, source, rounded, leftSelf, leftCross, leftOriginal);
  }

  /**
   * Some positions of one right head, which meets {@code head} of the left factor.
   *
   * @param side where the channels lie
   * @param firstChannel of the head in both matrices
   */
  public void addRight(int head, Side side, int firstChannel, FloatMatrix original, FloatMatrix effective) {
    ChannelRows source = new ChannelRows(original, side, firstChannel, size);
    ChannelRows rounded = new ChannelRows(effective, side, firstChannel, size);
    add(head, source, rounded, rightSelf, rightCross, rightOriginal);
  }

  private static void add(int head, ChannelRows source, ChannelRows rounded, Gram self, Gram cross, Gram original) {
    self.add(head, rounded, rounded);
    cross.add(head, rounded, source);
    original.add(head, source, source);
  }

  /** Sum of squares of the original weights of both factors. */
  public double weightNorm() {
    double squaredNorm = 0;
    for (int i = 0; i < count; i++) {
      squaredNorm += trace(leftOriginal.matrix(i)) + trace(rightOriginal.matrix(i));
    }
    return squaredNorm;
  }

  private double trace(double[] matrix) {
    double sum = 0;
    for (int i = 0; i < size; i++) {
      sum += matrix[i * size + i];
    }
    return sum;
  }

  /** PQE relative to the norm of the original products; 0 for products of zeros. */
  public double relativeError() {
    double error = 0;
    double norm = 0;
    for (int i = 0; i < count; i++) {
      double product = SquareMatrices.dot(rightOriginal.matrix(i), leftOriginal.matrix(i));
      norm += product;
      error += SquareMatrices.dot(rightSelf.matrix(i), leftSelf.matrix(i))
          - 2 * SquareMatrices.dot(rightCross.matrix(i), leftCross.matrix(i)) + product;
    }
    return norm > 0 ? Math.sqrt(Math.max(0, error) / norm) : 0;
  }

  /**
   * What the left factor of a head looks like as a map of the original, V^ V^T (V V^T)^-1: the transform as far as rounding
   * lets it be seen. Row-major [h, h]; not finite where the rows depend on one another.
   */
  public double[] leftMap(int head) {
    return map(leftCross, leftOriginal, head);
  }

  /** The same of the right factor's channels. */
  public double[] rightMap(int head) {
    return map(rightCross, rightOriginal, head);
  }

  private double[] map(Gram cross, Gram original, int head) {
    return SquareMatrices.multiply(
        cross.matrix(head), SquareMatrices.invert(original.matrix(head), size), size);
  }
}
