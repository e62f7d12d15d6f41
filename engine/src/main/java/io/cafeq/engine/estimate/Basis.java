package io.cafeq.engine.estimate;

/** What the estimate of an input rests on. */
public sealed interface Basis {
  /** All features of the input's kind. */
  record Features() implements Basis {}

  /** Layer 0's attention: the embedding, under the tokens' likely frequencies. */
  record Embedding() implements Basis {}

  /**
   * The floor: 1 / mean square of the columns of what reads the input.
   *
   * @param reason why no more is known, for people
   */
  record Floor(String reason) implements Basis {}
}
