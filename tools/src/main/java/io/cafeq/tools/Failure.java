package io.cafeq.tools;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.text.VisibleText;

/**
 * A failure as the user sees it: the exit code of the process, what happened, and one sentence on
 * what to do.
 *
 * @param message one line, or several for problems with settings
 */
record Failure(int code, String message, String remedy) {
  Failure {
    message = VisibleText.lines(message);
    remedy = VisibleText.message(remedy);
  }

  /** Describes what would stop a job before its first unit. */
  static Failure of(EngineException refusal) {
    int code =
        switch (refusal.kind()) {
          case USAGE -> ExitCode.USAGE;
          case CHECKPOINT -> ExitCode.CHECKPOINT;
          case ENVIRONMENT, STOPPED -> ExitCode.UNITS_MISSING;
          case RESULT -> ExitCode.FAILURE;
        };
    return new Failure(code, String.valueOf(refusal.getMessage()), refusal.remedy());
  }
}
