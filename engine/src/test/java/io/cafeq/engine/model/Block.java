package io.cafeq.engine.model;

/**
 * An attention or feed-forward part of every layer: [tokens, channels] to what it adds to the
 * states.
 */
@FunctionalInterface
interface Block {
  double[][] apply(int layer, double[][] states);

  /** A part that looks at each token by itself. */
  static Block perToken(TokenBlock block) {
    return (layer, states) -> {
      double[][] result = new double[states.length][];
      for (int token = 0; token < states.length; token++) {
        result[token] = block.apply(layer, states[token]);
      }
      return result;
    };
  }

  /** A part for one token. */
  @FunctionalInterface
  interface TokenBlock {
    double[] apply(int layer, double[] state);
  }
}
