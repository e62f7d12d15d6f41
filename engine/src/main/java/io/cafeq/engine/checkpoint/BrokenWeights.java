package io.cafeq.engine.checkpoint;

import io.cafeq.engine.text.NamePattern;

/** What helps where the weights of a tensor cannot be used, whichever command reads them. */
final class BrokenWeights {
  private BrokenWeights() {}

  /**
   * The folder must be another, since patterns belong to the recipe; statistics need a forward
   * pass, which would read the same weights.
   *
   * @param weight the name of the weights, also where their scales are broken
   */
  static String remedy(String weight) {
    return "The weights are broken: use another copy of the checkpoint, or quantize the rest into"
        + " another folder with --statistics none --exclude '"
        + NamePattern.of(weight)
        + "'.";
  }
}
