package io.cafeq.engine.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.failure.EngineException;

/** Which models a forward pass is written for. */
public final class ForwardModels {
  private ForwardModels() {}

  /**
   * Whether a model can be run.
   *
   * @param reason why it cannot, for people, with what was found and what is known; empty where it can
   */
  public record Support(boolean supported, String reason) {}

  /** Looks at config.json alone. */
  public static Support supports(JsonNode config) {
    try {
      DecoderShapes.of(config);
      return new Support(true, "");
    } catch (EngineException e) {
      return new Support(false, String.valueOf(e.getMessage()));
    }
  }
}
