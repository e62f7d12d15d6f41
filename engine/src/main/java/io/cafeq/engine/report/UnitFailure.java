package io.cafeq.engine.report;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;

/** Why a unit could not be made, and what the user can do. */
public record UnitFailure(FailureKind kind, String message, String remedy) {
  public static UnitFailure of(EngineException failure) {
    String message = failure.getMessage();
    return new UnitFailure(failure.kind(), message == null ? failure.toString() : message, failure.remedy());
  }
}
