package io.cafeq.engine.tokens;

import java.util.OptionalInt;

/**
 * The token that each text of a model begins with. Gemma's kinds have one, since they never saw a
 * text without it and are far off where it is missing; the usual harness gives it to them, too. All
 * other kinds are run without one.
 */
public record BeginningToken(OptionalInt id) {
  /** Texts begin with their own first token. */
  public static final BeginningToken NONE = new BeginningToken(OptionalInt.empty());

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
