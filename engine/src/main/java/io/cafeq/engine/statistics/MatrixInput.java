package io.cafeq.engine.statistics;

import java.util.Optional;

/**
 * What a matrix is multiplied with. Matrices that read the same input (queries, keys and values;
 * gate and up) have the same.
 *
 * @param name such as {@code model.layers.0.self_attn}, {@code model.layers.0.mlp.down_proj.weight}
 *     or {@code model.layers.0.mlp.experts.3}
 * @param channels of the input
 * @param fallBack of one expert's input: that of all experts of the layer together
 * @param sameChannels whether channel i of the fall-back is channel i of this input: so for gate
 *     and up, which read the layer's input, not for down, whose channels are each expert's own
 */
public record MatrixInput(
    String name, int channels, Optional<String> fallBack, boolean sameChannels) {
  /** Whose fall-back, if there is one, has the same channels. */
  public MatrixInput(String name, int channels, Optional<String> fallBack) {
    this(name, channels, fallBack, true);
  }
}
