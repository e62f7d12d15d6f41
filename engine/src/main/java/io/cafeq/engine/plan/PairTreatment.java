package io.cafeq.engine.plan;

import io.cafeq.config.Method;
import io.cafeq.config.PairSettings;
import io.cafeq.config.Recipe;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.grid.GridSpec;

/**
 * How a pair is quantized.
 *
 * @param left grid of the left matrix's rows
 * @param right grid of the right matrix
 * @param reverseStorage how the inverses are stored where the settings undo the transform before
 *     saving
 * @param fallBack whether round-to-nearest (RTN) of both at no more bits replaces the pair where
 *     its product is closer
 */
public record PairTreatment(
    GridSpec left,
    GridSpec right,
    PairSettings settings,
    Basis basis,
    TransformStorage reverseStorage,
    long seed,
    boolean fallBack) {

  /** Combines two grids with the recipe. */
  public static PairTreatment of(
      Recipe recipe, TensorSettings settings, GridSpec left, GridSpec right) {
    boolean learned = settings.method() == Method.CAFEQ;
    return new PairTreatment(
        left,
        right,
        recipe.pairs(),
        learned ? Basis.LEARNED : Basis.ROTATION,
        recipe.transform().usualStorage(),
        recipe.seed(),
        recipe.fallBack() && learned);
  }

  /**
   * Whether M is undone before saving, so that its inverses are stored; without M there is nothing
   * to undo.
   */
  public boolean isReversed() {
    return settings.reverse() && basis != Basis.UNCHANGED;
  }

  /** Where M comes from. */
  public enum Basis {
    LEARNED,
    /** A random rotation. */
    ROTATION,
    /** M is the identity: both factors are rounded without a transform. */
    UNCHANGED
  }
}
