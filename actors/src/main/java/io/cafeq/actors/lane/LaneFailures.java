package io.cafeq.actors.lane;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.UnitFailure;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/** Words the failures that a node itself answers with. */
final class LaneFailures {
  private LaneFailures() {}

  /** Of a worker that broke. */
  static UnitFailure broken(String unit, Throwable cause) {
    return new UnitFailure(
        FailureKind.RESULT,
        "unit " + unit + " failed with an internal error: " + cause.getMessage(),
        "Run the same command again; if it fails again, report it with the log.");
  }

  /** Of work that needs more memory than there is at all. */
  static UnitFailure tooLarge(String what, long bytes, long pool) {
    return new UnitFailure(
        FailureKind.USAGE,
        what + " needs " + bytes + " bytes of memory, but all lanes share " + pool,
        "Run the same command again with a larger --max-memory.");
  }

  /** Of a job that could not be opened. */
  static UnitFailure opening(@Nullable Throwable thrown) {
    Throwable cause =
        thrown instanceof CompletionException && thrown.getCause() != null
            ? thrown.getCause()
            : thrown;
    return cause instanceof EngineException known
        ? UnitFailure.of(known)
        : internal("opening the job failed with an internal error: " + cause);
  }

  /** Of a request that this program should not have made. */
  static UnitFailure internal(String message) {
    return new UnitFailure(
        FailureKind.RESULT, message, "Run the same command again, or report it with the log.");
  }
}
