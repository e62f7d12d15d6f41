package io.cafeq.engine.budget;

/**
 * Predicted bits and error of some rows.
 *
 * @param bits everything that is stored
 * @param error weights times squared relative error; of a pair, times squared PQE / 2
 */
public record Predicted(long weights, long bits, double error) {
  /** Of nothing. */
  public static final Predicted NOTHING = new Predicted(0, 0, 0);

  /** Of both. */
  public Predicted plus(Predicted other) {
    return new Predicted(weights + other.weights, bits + other.bits, error + other.error);
  }

  /** All bits by all weights. */
  public double bitsPerWeight() {
    return weights == 0 ? 0 : (double) bits / weights;
  }

  /** Root of the mean squared relative error; PQE / sqrt(2) of a pair. */
  public double relativeError() {
    return weights == 0 ? 0 : Math.sqrt(error / weights);
  }
}
