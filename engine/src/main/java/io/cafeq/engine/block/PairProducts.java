package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.ChannelRows;
import io.cafeq.engine.transform.FoldedBiases;
import io.cafeq.engine.transform.Gram;
import io.cafeq.engine.transform.SquareMatrices;

/**
 * The paired quantization error of a whole layer, from its factors piece by piece: ||O^ V^ - O
 * V||^2 over all heads, as tr(O^^T O^ V^ V^^T) - 2 tr(O^^T O V V^^T) + tr(O^T O V V^T) of h x h
 * products in double. On the heap; not thread-safe.
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
   * @param side where the channels are
   * @param firstChannel of the head in both matrices
   */
  public void addRight(
      int head, Side side, int firstChannel, FloatMatrix original, FloatMatrix effective) {
    ChannelRows source = new ChannelRows(original, side, firstChannel, size);
    ChannelRows rounded = new ChannelRows(effective, side, firstChannel, size);
    add(head, source, rounded, rightSelf, rightCross, rightOriginal);
  }

  private static void add(
      int head, ChannelRows source, ChannelRows rounded, Gram self, Gram cross, Gram original) {
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

  /**
   * PQE relative to the norm of the original products; for products of zeros 0, or 1 where they
   * became others.
   */
  public double relativeError() {
    return relativeError(0, count);
  }

  /** The same of one head alone. */
  public double relativeError(int head) {
    return relativeError(head, head + 1);
  }

  private double relativeError(int first, int end) {
    double error = 0;
    double norm = 0;
    for (int i = first; i < end; i++) {
      double product = SquareMatrices.dot(rightOriginal.matrix(i), leftOriginal.matrix(i));
      norm += product;
      error +=
          SquareMatrices.dot(rightSelf.matrix(i), leftSelf.matrix(i))
              - 2 * SquareMatrices.dot(rightCross.matrix(i), leftCross.matrix(i))
              + product;
    }
    error = Math.max(0, error);
    return norm > 0 ? Math.sqrt(error / norm) : error > 0 ? 1 : 0;
  }

  /**
   * How far the right factor makes something else of a bias on the left factor's channels: ||O^ b^
   * - O b||^2 by what O makes of any vector of that length, ||O||_F^2 ||b||^2 / h. 0 where both
   * make nothing.
   */
  public double leftBiasError(int head, double[] original, double[] effective) {
    return FoldedBiases.error(
        new FoldedBiases.Met(
            rightSelf.matrix(head), rightCross.matrix(head), rightOriginal.matrix(head)),
        original,
        effective);
  }

  /** The same of a bias on the channels of a right head that meets {@code head}. */
  public double rightBiasError(int head, double[] original, double[] effective) {
    return FoldedBiases.error(
        new FoldedBiases.Met(
            leftSelf.matrix(head), leftCross.matrix(head), leftOriginal.matrix(head)),
        original,
        effective);
  }
}
