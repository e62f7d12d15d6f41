package io.cafeq.engine.failure;

import io.cafeq.engine.text.VisibleText;
import org.jspecify.annotations.Nullable;

/**
 * A failure of a known kind. The message names the file and the tensor, what was expected and what
 * was found. Message and remedy are one line each; this class escapes names and values from files.
 */
public class EngineException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final FailureKind kind;
  private final String remedy;

  /** {@code remedy} is one sentence that says what the user can do. */
  public EngineException(
      FailureKind kind, String message, String remedy, @Nullable Throwable cause) {
    super(VisibleText.message(message), cause);
    this.kind = kind;
    this.remedy = VisibleText.message(remedy);
  }

  public EngineException(FailureKind kind, String message, String remedy) {
    this(kind, message, remedy, null);
  }

  public FailureKind kind() {
    return kind;
  }

  public String remedy() {
    return remedy;
  }
}
