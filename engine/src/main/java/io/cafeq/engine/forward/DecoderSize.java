package io.cafeq.engine.forward;

/**
 * What two decoders have in common where their predictions can be compared.
 *
 * @param vocabulary entries of the embedding
 * @param hidden channels of the states
 */
public record DecoderSize(int layers, int hidden, int vocabulary) {
  /**
   * Throws an {@link io.cafeq.engine.failure.EngineException} where no forward pass is written for
   * the model.
   */
  public static DecoderSize of(ModelWeights weights) {
    Decoder decoder = Decoder.of(weights);
    return new DecoderSize(
        decoder.shape().layers().size(), decoder.shape().hidden(), decoder.vocabulary());
  }
}
