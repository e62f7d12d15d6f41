package io.cafeq.tools;

import io.cafeq.engine.failure.FailureKind;

/** Exit codes of the process; scripts rely on the numbers. */
final class ExitCode {
  static final int OK = 0;
  static final int FAILURE = 1;
  static final int USAGE = 2;

  /** The checkpoint itself is at fault: the same command cannot succeed. */
  static final int CHECKPOINT = 3;

  /** Units are missing for another reason, and the same command continues. */
  static final int UNITS_MISSING = 4;

  private ExitCode() {}

  /**
   * @param environment the code for failures around the program, which only some commands can
   *     continue after
   */
  static int of(FailureKind kind, int environment, Interruption interruption) {
    return switch (kind) {
      case USAGE -> USAGE;
      case CHECKPOINT -> CHECKPOINT;
      case ENVIRONMENT -> environment;
      case RESULT -> FAILURE;
      case STOPPED -> interruption.exitCode().orElse(UNITS_MISSING);
    };
  }
}
