package io.cafeq.engine.rounding;

import java.util.List;

/**
 * What roundings of a pair are compared with, whatever their grids and transforms.
 *
 * @param squaredNorm ||O V||^2 over all heads
 * @param leftGrams v v^T of each left head; row-major [h, h]
 * @param rightGrams o^T o of each left head, over all right heads of its group; likewise
 * @param leftOutputs tr((o^T o) x H of V) over all heads, H that of the left factor's input; 0
 *     without statistics
 * @param rightOutputs tr(O H O^T), the mean square of the layer's outputs, H that of the right
 *     factor's input; likewise
 */
public record PairOriginals(
    double squaredNorm,
    List<double[]> leftGrams,
    List<double[]> rightGrams,
    double leftOutputs,
    double rightOutputs) {
  public PairOriginals {
    leftGrams = List.copyOf(leftGrams);
    rightGrams = List.copyOf(rightGrams);
  }

  /** The mean of both factors' squared relative output errors. */
  public double outputShare(double leftError, double rightError) {
    return (relative(leftError, leftOutputs) + relative(rightError, rightOutputs)) / 2;
  }

  private static double relative(double error, double norm) {
    return norm > 0 ? error / norm : 0;
  }
}
