package io.cafeq.engine.evaluate;

import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Multiple-choice questions as tokens. Their texts are not kept, since the Java heap is small and
 * files of questions need not be. Borrows the tokenizer while questions are added; used by one
 * thread.
 */
public final class ChoiceQuestions {
  private final TextTokenizer tokenizer;
  private final OptionalInt longestInput;
  private final BeginningToken beginning;
  private final List<ChoiceTokens> choices = new ArrayList<>();
  private final List<Key> keys = new ArrayList<>();

  /**
   * How a question is judged.
   *
   * @param characters of each choice (code points, without blanks around it)
   */
  record Key(int answer, int[] characters) {
    static Key of(Question question) {
      return new Key(
          question.answer(),
          question.choices().stream()
              .map(String::strip)
              .mapToInt(choice -> choice.codePointCount(0, choice.length()))
              .toArray());
    }
  }

  /**
   * None as yet.
   *
   * @param longestInput the most tokens that the model takes at once
   * @param beginning what each context begins with
   */
  public ChoiceQuestions(
      TextTokenizer tokenizer, OptionalInt longestInput, BeginningToken beginning) {
    this.tokenizer = tokenizer;
    this.longestInput = longestInput;
    this.beginning = beginning;
  }

  /**
   * Throws an {@link io.cafeq.engine.failure.EngineException} of kind USAGE where a choice has no
   * tokens of its own.
   */
  public void add(Question question) {
    choices.addAll(ChoiceTokens.of(keys.size(), question, tokenizer, longestInput, beginning));
    keys.add(Key.of(question));
  }

  /** Of all questions, in order. */
  List<ChoiceTokens> choices() {
    return List.copyOf(choices);
  }

  /** One for each question. */
  List<Key> keys() {
    return List.copyOf(keys);
  }
}
