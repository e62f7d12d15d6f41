package io.cafeq.engine.estimate;

import java.util.Optional;

/**
 * A model whose moments were measured, to fit coefficients to. Borrows the estimates, which stay
 * open.
 *
 * @param name for people
 * @param vectors of its first pass
 */
public record MeasuredModel(
    String name, DiagonalEstimates estimates, ModelVectors vectors, Diagonals diagonals) {
  /** What was measured. */
  @FunctionalInterface
  public interface Diagonals {
    /** The mean squares of an input's channels over tokens; empty where they were not taken. */
    Optional<double[]> of(int layer, String input);
  }
}
