package io.cafeq.engine.failure;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Turns I/O errors into failures that name the file. */
public final class FileFailure {
  private FileFailure() {}

  /**
   * Of kind ENVIRONMENT; STOPPED where the thread was interrupted while it read or wrote.
   *
   * @param action a verb: {@code write}, {@code read}, {@code create}
   */
  public static EngineException of(String action, Path file, Exception cause) {
    if (cause instanceof ClosedByInterruptException) {
      return new EngineException(
          FailureKind.STOPPED,
          "interrupted before it could " + action + " " + file,
          "Run the same command again.",
          cause);
    }
    return new EngineException(
        FailureKind.ENVIRONMENT,
        "cannot " + action + " " + file + ": " + reason(cause),
        remedy(action, cause),
        cause);
  }

  /**
   * Whether the disk (or the quota) is full. The JDK has no type for it, only the system's words.
   */
  public static boolean isDiskFull(@Nullable Throwable cause) {
    return says(cause, "no space left on device") || says(cause, "disk quota exceeded");
  }

  private static boolean says(@Nullable Throwable cause, String words) {
    for (Throwable at = cause; at != null; at = at.getCause()) {
      String text = at.getMessage();
      if (at instanceof IOException
          && text != null
          && text.toLowerCase(Locale.ROOT).contains(words)) {
        return true;
      }
    }
    return false;
  }

  private static boolean isReadOnly(Exception cause) {
    return cause instanceof ReadOnlyFileSystemException || says(cause, "read-only file system");
  }

  private static String reason(Exception cause) {
    if (isDiskFull(cause)) {
      return "the disk is full";
    }
    if (isReadOnly(cause)) {
      return "the file system is read-only";
    }
    return switch (cause) {
      case AccessDeniedException denied -> "permission denied";
      case NoSuchFileException missing -> "there is no such file or folder";
      case FileSystemException known when known.getReason() != null -> known.getReason();
      case IOException plain
          when plain.getClass() == IOException.class && plain.getMessage() != null ->
          plain.getMessage();
      default ->
          cause.getClass().getSimpleName()
              + (cause.getMessage() == null ? "" : " (" + cause.getMessage() + ")");
    };
  }

  private static String remedy(String action, Exception cause) {
    if (isDiskFull(cause)) {
      return "Free some disk space there, or choose a folder on another disk.";
    }
    if (cause instanceof NoSuchFileException) {
      return "Check that the folder exists and that the path is right.";
    }
    return cause instanceof AccessDeniedException || isReadOnly(cause)
        ? "Check who may " + action + " there, or choose another folder."
        : "Check the disk and the path.";
  }
}
