package io.cafeq.engine.export;

import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.stream.Stream;

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

  /** The same with more warnings. */
  public Exported with(List<String> more) {
    return new Exported(
        tensors, bytes, leftBehind, Stream.concat(warnings.stream(), more.stream()).toList());
  }
}
