package io.cafeq.engine.evaluate;

import io.cafeq.engine.tokens.BeginningToken;
import java.util.List;
import java.util.Optional;

/**
 * The scores of a model.
 *
 * @param beginning what each window and each context begins with
 * @param text empty where no text was given
 * @param choices empty where no questions were given
 * @param reference empty where there was none
 * @param warnings what was also told while it ran
 */
public record EvaluationResult(
    BeginningToken beginning,
    Optional<TextScore> text,
    Optional<ChoiceScore> choices,
    Optional<Reference> reference,
    List<String> warnings) {
  /**
   * The reference's scores, and how far the model is from it.
   *
   * @param comparison on the text
   */
  public record Reference(Optional<Comparison> comparison, Optional<ChoiceScore> choices) {}
}
