package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.ColumnScales;

/**
 * The input Hessian of weights whose columns were scaled: an error e in W diag(s) is the error e
 * diag(1/s) in W, so it counts by diag(1/s) H diag(1/s).
 */
public final class ScaledMoments {
  private ScaledMoments() {}

  /**
   * Damps moments and divides them by the scales of their channels, both in place, so that errors
   * count as they do in the damped moments of the weights themselves.
   *
   * @param raised what is added to the diagonal before
   */
  public static void apply(InputMoments moments, double raised, ColumnScales scales) {
    for (InputMoments.Block block : moments.blocks()) {
      FloatMatrix h = block.moments();
      for (int i = 0; i < block.channels(); i++) {
        h.set(i, i, (float) (h.get(i, i) + raised));
      }
    }
    moments.scale(scales.inverses());
  }
}
