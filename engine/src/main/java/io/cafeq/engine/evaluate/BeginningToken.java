package io.cafeq.engine.evaluate;

import io.cafeq.engine.family.TextConfig;
import java.util.OptionalInt;

/**
 * The token that each text of a model begins with. Gemma's kinds have one, since they never saw a
 * text without it and are far off where it is missing; the usual harness gives it to them, too. All
 * other kinds are run without one.
 */
public record BeginningToken(OptionalInt id) {
  /** Texts begin with their own first token. */
  public static final BeginningToken NONE = new BeginningToken(OptionalInt.empty());

  private static final String KEY = "bos_token_id";

  /** Of all Gemma models that do not say. */
  private static final int USUAL = 2;

  /**
   * What config.json names, for its text model or for the whole; where it names none, the usual
   * one, if the vocabulary has it.
   *
   * @throws io.cafeq.engine.failure.EngineException with kind CHECKPOINT where it names one that
   *     the vocabulary does not have, or the model has no embedding; USAGE where no forward pass is
   *     written for the model
   */
  public static BeginningToken of(ModelWeights weights) {
    Decoder decoder = Decoder.of(weights);
    if (!decoder.shape().kind().beginsWithToken()) {
      return NONE;
    }
    int vocabulary = decoder.vocabulary();
    ConfigNumbers config = ConfigNumbers.of(TextConfig.of(weights.config()));
    int token = config.index(KEY, USUAL);
    if (token < vocabulary) {
      return new BeginningToken(OptionalInt.of(token));
    }
    if (config.has(KEY)) {
      throw config.wrong(KEY, "one of the " + vocabulary + " tokens of the vocabulary");
    }
    return NONE;
  }

  /** Tokens that it takes of a window: one, or none. */
  public int count() {
    return id.isPresent() ? 1 : 0;
  }

  /** Tokens of a text with it before them; the very same where there is none. */
  public int[] before(int[] tokens) {
    if (id.isEmpty()) {
      return tokens;
    }
    int[] all = new int[1 + tokens.length];
    all[0] = id.getAsInt();
    System.arraycopy(tokens, 0, all, 1, tokens.length);
    return all;
  }
}
