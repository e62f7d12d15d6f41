package io.cafeq.engine.export;

import io.cafeq.engine.text.VisibleText;
import java.util.List;

/**
 * What an export wrote.
 *
 * @param tensors how many
 * @param bytes of all tensors
 * @param leftBehind what of the result it does not hold, and why
 * @param warnings for the user, each a sentence
 */
public record Exported(
    int tensors, long bytes, List<LeftBehind> leftBehind, List<String> warnings) {
  public Exported {
    leftBehind = List.copyOf(leftBehind);
    warnings = warnings.stream().map(VisibleText::message).toList();
  }
}
