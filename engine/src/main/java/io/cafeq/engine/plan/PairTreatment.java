package io.cafeq.engine.plan;

import io.cafeq.config.PairSettings;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.grid.GridSpec;

/**
 * What is done to a pair.
 *
 * @param left grid of the left matrix's rows
 * @param right grid of the right matrix
 * @param reverseStorage how the inverses are stored where the settings undo the transform before saving
 * @param fallBack whether plain rounding of both that takes no more bits takes over where its product is closer
 */
public record PairTreatment(
    GridSpec left,
    GridSpec right,
    PairSettings settings,
    Basis basis,
    TransformStorage reverseStorage,
    long seed,
    boolean fallBack) {

  /** Where M comes from. */
  public enum Basis {
    LEARNED,
    /** A random rotation. */
    ROTATION,
    /** M is the identity: plain rounding of both factors. */
    UNCHANGED
  }
}
