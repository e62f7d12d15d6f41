package io.cafeq.engine.report;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.text.VisibleText;

/** Failure of a unit with its remedy. */
public record UnitFailure(FailureKind kind, String message, String remedy) {
  public UnitFailure {
    message = VisibleText.message(message);
    remedy = VisibleText.message(remedy);
  }

  public static UnitFailure of(EngineException failure) {
    String message = failure.getMessage();
    return new UnitFailure(
        failure.kind(), message == null ? failure.toString() : message, failure.remedy());
  }
}
