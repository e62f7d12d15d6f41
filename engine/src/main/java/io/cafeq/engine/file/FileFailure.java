package io.cafeq.engine.file;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What went wrong with a file, in words for the user. */
public final class FileFailure {
  private FileFailure() {}

  /**
   * @param action a verb: {@code write}, {@code read}, {@code create}
   */
  public static EngineException of(String action, Path file, Exception cause) {
    String message = String.format(Locale.ROOT, "cannot %s %s: %s", action, file, reason(cause));
    return new EngineException(FailureKind.ENVIRONMENT, message, remedy(action, cause), cause);
  }

  /** Whether the disk (or the quota) is full. The JDK has no type for it, only the system's words. */
  public static boolean isDiskFull(@Nullable Throwable cause) {
    for (Throwable at = cause; at != null; at = at.getCause()) {
      String text = at.getMessage();
      if (at instanceof IOException && text != null
          && (text.contains("No space left on device") || text.contains("Disk quota exceeded"))) {
        return true;
      }
    }
    return false;
  }

  private static String reason(Exception cause) {
    if (isDiskFull(cause)) {
      return "the disk is full";
    }
    return switch (cause) {
      case AccessDeniedException denied -> "permission denied";
      case ReadOnlyFileSystemException readOnly -> "the file system is read-only";
      default -> {
        String text = cause.getMessage();
        yield cause.getClass().getSimpleName() + (text == null ? "" : " (" + text + ")");
      }
    };
  }

  private static String remedy(String action, Exception cause) {
    if (isDiskFull(cause)) {
      return "Free some space and run the same command again; finished units are kept.";
    }
    return cause instanceof AccessDeniedException || cause instanceof ReadOnlyFileSystemException
        ? "Check who may " + action + " there, or choose another folder."
        : "Check the disk and the path, then run the same command again.";
  }
}
