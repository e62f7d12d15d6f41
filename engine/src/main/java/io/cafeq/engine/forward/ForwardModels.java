package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.tokens.BeginningToken;
import java.lang.foreign.Arena;
import java.util.List;

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
  public static void requirePredicting(ModelWeights weights) {
    Decoder decoder = Decoder.of(weights);
    requireWhole(decoder);
    decoder.requireHead();
  }

  private static void requireWhole(Decoder decoder) {
    ModelWeights weights = decoder.weights();
    Shapes.require(
        weights, decoder.names().embedding(), decoder.vocabulary(), decoder.shape().hidden());
    decoder.beginningToken();
    decoder.norm(decoder.names().norm(), decoder.shape().hidden());
    try (Arena arena = Arena.ofConfined()) {
      Positions positions = new Positions(decoder.shape(), arena, 1);
      for (int layer = 0; layer < decoder.shape().layers().size(); layer++) {
        DecoderLayer.read(decoder, layer, positions.of(layer));
      }
    }
  }

  /**
   * Throws with kind CHECKPOINT where a token of some windows is not in the model's vocabulary,
   * USAGE where no forward pass is written for the model.
   */
  public static void requireTokens(ModelWeights weights, List<int[]> windows) {
    Embedding.check(windows, Decoder.of(weights).vocabulary());
  }

  /** Throws with kind USAGE where the model cannot be run over windows of so many tokens. */
  public static void requireLength(ModelWeights weights, int window) {
    Decoder.of(weights).requireLength(window);
  }

  /**
   * The token that each text of the model begins with.
   *
   * @throws EngineException with kind CHECKPOINT where config.json names one that the vocabulary
   *     does not have, or the model has no embedding; USAGE where no forward pass is written for
   *     the model
   */
  public static BeginningToken beginningToken(ModelWeights weights) {
    return Decoder.of(weights).beginningToken();
  }

  /** Looks at config.json alone. */
  public static Support supports(ModelConfig config) {
    return supports(config, 1);
  }

  /** The same for windows of so many tokens. */
  public static Support supports(ModelConfig config, int window) {
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
