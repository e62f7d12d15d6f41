package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * A choice after its context, as tokens. Both are encoded together, after blanks at the context's
 * end were moved to the choice; the choice's tokens are those beyond as many as the context has by
 * itself. No special token is added but the {@link BeginningToken}. What exceeds the model's
 * longest input is cut off at the context's beginning.
 *
 * @param question its place in the list of questions
 * @param choice its place among the question's choices
 * @param context its last tokens, as many as any choice can use; one array for all choices that
 *     leave it as it is
 * @param used how many of them, from the end, come before the choice
 * @param targets the choice's tokens, which the last inputs predict
 */
record ChoiceTokens(
    int question, int choice, BeginningToken beginning, int[] context, int used, int[] targets) {
  /** Tokens of {@link #inputs}. */
  int length() {
    return beginning.count() + used + targets.length - 1;
  }

  /** All tokens but the last. */
  int[] inputs() {
    int[] inputs =
        Arrays.copyOfRange(context, context.length - used, context.length + targets.length - 1);
    System.arraycopy(targets, 0, inputs, used, targets.length - 1);
    return beginning.before(inputs);
  }

  /** The first of the inputs that predicts one of the choice's tokens. */
  int firstPredicting() {
    return length() - targets.length;
  }

  /**
   * All choices of a question, in order.
   *
   * @param number of the question, from 0
   * @param longest tokens that the model takes at once
   */
  static List<ChoiceTokens> of(
      int number,
      Question question,
      TextTokenizer tokenizer,
      OptionalInt longest,
      BeginningToken beginning) {
    int room = longest.orElse(Integer.MAX_VALUE) - beginning.count();
    String context = question.context().stripTrailing();
    String blanks = question.context().substring(context.length());
    int[] alone = tokenizer.encode(context);
    int[] shared = end(alone, alone.length, room);
    List<ChoiceTokens> all = new ArrayList<>();
    for (int choice = 0; choice < question.choices().size(); choice++) {
      int[] tokens = tokenizer.encode(context + blanks + question.choices().get(choice));
      if (alone.length < 1 || tokens.length <= alone.length) {
        throw unusable(
            number, choice, "has no tokens of its own after the context's " + alone.length);
      }
      int[] targets = Arrays.copyOfRange(tokens, alone.length, tokens.length);
      if (targets.length > room) {
        throw unusable(
            number, choice, "has " + targets.length + " tokens, the model takes " + room);
      }
      int[] own = end(tokens, alone.length, room);
      int[] kept = Arrays.equals(own, shared) ? shared : own;
      all.add(
          new ChoiceTokens(
              number,
              choice,
              beginning,
              kept,
              Math.min(kept.length, room - targets.length + 1),
              targets));
    }
    return all;
  }

  private static int[] end(int[] tokens, int end, int most) {
    return Arrays.copyOfRange(tokens, Math.max(0, end - most), end);
  }

  private static EngineException unusable(int question, int choice, String what) {
    return new EngineException(
        FailureKind.USAGE,
        "choice " + choice + " of question " + (question + 1) + " " + what,
        "Fix or remove that question.");
  }
}
