package io.cafeq.tools;

import io.cafeq.engine.evaluate.EvaluationWatcher;
import org.jspecify.annotations.Nullable;

/** Shows the progress of an evaluation, part by part. */
final class EvaluationProgress implements EvaluationWatcher, AutoCloseable {
  private final Console console;
  private @Nullable StepProgress current;

  EvaluationProgress(Console console) {
    this.console = console;
  }

  @Override
  public void began(long steps) {
    close();
    current = new StepProgress(console, "evaluating", steps);
  }

  @Override
  public void advanced() {
    if (current != null) {
      current.advance(1);
    }
  }

  /** Clears the progress line. */
  @Override
  public void close() {
    if (current != null) {
      current.close();
    }
  }
}
