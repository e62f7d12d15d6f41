package io.cafeq.engine.quantize;

/** Told how far a unit is. Called on the worker's thread, often; must return at once. */
@FunctionalInterface
public interface Progress {
  Progress NONE = weights -> {};

  /** That many more weights of the unit are done; in the end these add up to about all of them. */
  void advanced(long weights);
}
