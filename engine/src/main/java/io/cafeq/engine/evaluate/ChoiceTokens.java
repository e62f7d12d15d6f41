package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * A choice after its context, as tokens. Both are encoded together, after blanks at the context's end were moved to the
 * choice; the choice's tokens are those beyond as many as the context has by itself. No special token is added. What exceeds the
 * model's longest input is cut off at the beginning.
 *
 * @param question its place in the list of questions
 * @param choice its place among the question's choices
 * @param inputs all tokens but the last
 * @param targets the choice's tokens, which the last inputs predict
 */
record ChoiceTokens(int question, int choice, int[] inputs, int[] targets) {
  /** The first of the inputs that predicts one of the choice's tokens. */
  int firstPredicting() {
    return inputs.length - targets.length;
  }

  /**
   * All choices of all questions, in order.
   *
   * @param longest tokens that the model takes at once
   */
  static List<ChoiceTokens> of(List<Question> questions, TextTokenizer tokenizer, OptionalInt longest) {
    List<ChoiceTokens> all = new ArrayList<>();
    for (int i = 0; i < questions.size(); i++) {
      Question question = questions.get(i);
      String context = question.context().stripTrailing();
      String blanks = question.context().substring(context.length());
      int contextTokens = tokenizer.encode(context).length;
      for (int choice = 0; choice < question.choices().size(); choice++) {
        int[] tokens = tokenizer.encode(context + blanks + question.choices().get(choice));
        if (contextTokens < 1 || tokens.length <= contextTokens) {
          throw unusable(i, choice, "has no tokens of its own after the context's " + contextTokens);
        }
        int[] targets = Arrays.copyOfRange(tokens, contextTokens, tokens.length);
        int room = longest.orElse(Integer.MAX_VALUE);
        if (targets.length > room) {
          throw unusable(i, choice, "has " + targets.length + " tokens, the model takes " + room);
        }
        int first = Math.max(0, tokens.length - 1 - room);
        all.add(new ChoiceTokens(i, choice, Arrays.copyOfRange(tokens, first, tokens.length - 1), targets));
      }
    }
    return all;
  }

  private static EngineException unusable(int question, int choice, String what) {
    return new EngineException(
        FailureKind.USAGE,
        "choice " + choice + " of question " + (question + 1) + " " + what,
        "Mend or remove that question.");
  }
}
