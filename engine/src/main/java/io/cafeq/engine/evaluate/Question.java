package io.cafeq.engine.evaluate;

import java.util.List;

/**
 * A multiple-choice question: which of the choices follows the context.
 *
 * @param choices at least two
 * @param answer the right one, from 0
 */
public record Question(String context, List<String> choices, int answer) {
  public Question {
    choices = List.copyOf(choices);
    if (choices.size() < 2) {
      throw new IllegalArgumentException("expected at least two choices, found " + choices.size());
    }
    if (answer < 0 || answer >= choices.size()) {
      throw new IllegalArgumentException(
          "answer is "
              + answer
              + ", but the choices are numbered from 0 to "
              + (choices.size() - 1));
    }
    if (context.isBlank()) {
      throw new IllegalArgumentException(
          "the context is blank, so there is nothing to predict the choices from");
    }
    if (choices.stream().anyMatch(String::isBlank)) {
      throw new IllegalArgumentException("a choice is blank");
    }
  }
}
