package io.cafeq.engine.export;

/** Whether a format can hold a tensor as the result stores it. */
public sealed interface Answer {
  /** Nothing is lost but what {@link Exported#leftBehind} names. */
  record Carries() implements Answer {}

  /**
   * The format cannot hold the tensor.
   *
   * @param reason a clause such as "it has 3 bits, and gguf takes 4 or 8"; the same for all tensors
   *     that it holds for, so that they are shown together
   * @param remedy a sentence in the imperative
   */
  record Refuses(String reason, String remedy) implements Answer {}
}
