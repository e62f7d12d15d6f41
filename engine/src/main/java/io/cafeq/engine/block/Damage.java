package io.cafeq.engine.block;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Failures of kind RESULT about one file of a result. */
record Damage(Path file) {
  private static final String REMEDY =
      "The file is damaged or was changed. Delete it and run the same quantize command again, which"
          + " makes it anew.";

  EngineException of(String what) {
    return of(what, null);
  }

  EngineException of(String what, @Nullable Throwable cause) {
    return new EngineException(FailureKind.RESULT, file + ": " + what, REMEDY, cause);
  }

  EngineException missing(@Nullable Throwable cause) {
    return new EngineException(
        FailureKind.RESULT,
        file + ": is missing",
        "Run the same quantize command again, which makes it anew.",
        cause);
  }

  /** The result is whole without the file. */
  EngineException superfluous(String what) {
    return new EngineException(
        FailureKind.RESULT, file + ": " + what, "Move it elsewhere; the result does without it.");
  }

  /** The file and a checkpoint do not agree, and either can be the wrong one. */
  EngineException disagrees(String what) {
    return new EngineException(
        FailureKind.RESULT,
        file + ": " + what,
        "Compare with the checkpoint that the result was made from. Where it is this one, delete"
            + " the file and run the same quantize command again, which makes it anew.");
  }

  /** About one row of a tensor; {@code row} counts the file's rows from 0. */
  EngineException of(String tensor, long row, String what) {
    return of("tensor " + tensor + ", row " + row + " of the file: " + what);
  }

  EngineException newer(String found) {
    return new EngineException(
        FailureKind.RESULT,
        file + " has format version " + found + "; this program reads " + UnitMetadata.MAJOR + ".x",
        "Use the version of the program that wrote it, or a newer one.");
  }
}
