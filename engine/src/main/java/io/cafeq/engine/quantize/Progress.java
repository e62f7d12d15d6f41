package io.cafeq.engine.quantize;

/** Told how far a unit is. Called on the worker's thread, often; must return at once. */
@FunctionalInterface
public interface Progress {
  Progress NONE = weights -> {};

  /** That many more weights of the unit are done. Adds up to {@link UnitQuantizer}'s share of the whole: all its weights. */
  void advanced(long weights);
}
