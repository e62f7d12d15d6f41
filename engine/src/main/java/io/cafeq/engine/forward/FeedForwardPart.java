package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;

/** The feed-forward part of one layer. */
sealed interface FeedForwardPart permits GatedPart, MixturePart {
  static FeedForwardPart read(Decoder decoder, int layer) {
    String prefix = decoder.names().layer(layer);
    return decoder.shape().layers().get(layer).sparse()
        ? MixturePart.read(decoder, prefix, decoder.shape().experts().orElseThrow())
        : GatedPart.read(
            decoder, prefix + "mlp.gate_proj", prefix + "mlp.up_proj", prefix + "mlp.down_proj");
  }

  /** Bytes of workspace for so many tokens. */
  long workspaceBytes(int tokens);

  /** Bytes of all its matrices as floats. */
  long weightBytes();

  /** Columns of its widest matrix. */
  int widest();

  /**
   * @param x normed states, y what is added to the states; both [tokens, hidden]
   */
  void apply(FloatMatrix x, FloatMatrix y, LayerMemory memory, ObservedInputs observed);
}
