package io.cafeq.engine.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.failure.EngineException;
import java.lang.foreign.Arena;

/** Which models a forward pass is written for. */
public final class ForwardModels {
  private ForwardModels() {}

  /**
   * Whether a model can be run.
   *
   * @param reason why it cannot, for people, with what was found and what is known; empty where it
   *     can
   */
  public record Support(boolean supported, String reason) {}

  /**
   * Looks at the names and shapes of all tensors that a pass needs and at the token that texts
   * begin with, and reads norms and biases.
   *
   * @throws EngineException with kind CHECKPOINT where one is missing or of another shape, USAGE
   *     where no forward pass is written for the model
   */
  public static void requireWhole(ModelWeights weights) {
    requireWhole(Decoder.of(weights));
  }

  /** The same, and that there is a head, which predictions need and statistics of inputs do not. */
  static void requirePredicting(ModelWeights weights) {
    Decoder decoder = Decoder.of(weights);
    requireWhole(decoder);
    decoder.requireHead();
  }

  private static void requireWhole(Decoder decoder) {
    ModelWeights weights = decoder.weights();
    Shapes.require(
        weights, decoder.names().embedding(), decoder.vocabulary(), decoder.shape().hidden());
    BeginningToken.of(weights);
    decoder.norm(decoder.names().norm(), decoder.shape().hidden());
    try (Arena arena = Arena.ofConfined()) {
      Positions positions = new Positions(decoder.shape(), arena, 1);
      for (int layer = 0; layer < decoder.shape().layers().size(); layer++) {
        DecoderLayer.read(decoder, layer, positions.of(layer));
      }
    }
  }

  /** Looks at config.json alone. */
  public static Support supports(JsonNode config) {
    return supports(config, 1);
  }

  /** The same for windows of so many tokens. */
  public static Support supports(JsonNode config, int window) {
    try {
      int most = DecoderShapes.of(config).longestWindow();
      if (window > most) {
        return new Support(
            false,
            "its rotary embedding of type \"dynamic\" is only known up to "
                + most
                + " tokens, and a window has "
                + window
                + " tokens");
      }
      return new Support(true, "");
    } catch (EngineException e) {
      return new Support(false, String.valueOf(e.getMessage()));
    }
  }
}
