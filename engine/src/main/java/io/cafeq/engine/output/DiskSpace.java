package io.cafeq.engine.output;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Whether what is to be written fits. */
public final class DiskSpace {
  private DiskSpace() {}

  /** Bytes that this user may still write below {@code folder}, which exists. */
  public static long usable(Path folder) {
    try {
      return Files.getFileStore(folder).getUsableSpace();
    } catch (IOException e) {
      throw FileFailure.of("read", folder, e);
    }
  }

  /** Throws with kind ENVIRONMENT where {@code needed} is more than {@code usable}. */
  public static void require(Path folder, long needed, long usable) {
    if (needed > usable) {
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          String.format(
              Locale.ROOT,
              "the result needs about %,d MB in %s, but %,d MB are free there",
              needed / 1_000_000 + 1,
              folder,
              usable / 1_000_000),
          "Free some space, or choose a folder on another disk with --out.");
    }
  }
}
