package io.cafeq.engine.store;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A failure of a store: where, what, whether trying again can help, and what to do. */
public final class StoreException extends EngineException {
  private static final long serialVersionUID = 1L;

  private final String place;
  private final String detail;
  private final boolean passing;
  private final Duration wait;

  private StoreException(
      FailureKind kind,
      String place,
      String detail,
      String remedy,
      boolean passing,
      Duration wait,
      @Nullable Throwable cause) {
    super(kind, place + ": " + detail, remedy, cause);
    this.place = place;
    this.detail = detail;
    this.passing = passing;
    this.wait = wait;
  }

  /** The files are at fault. */
  public static StoreException checkpoint(String place, String detail, String remedy) {
    return new StoreException(
        FailureKind.CHECKPOINT, place, detail, remedy, false, Duration.ZERO, null);
  }

  /** The request is at fault. */
  public static StoreException usage(String place, String detail, String remedy) {
    return new StoreException(FailureKind.USAGE, place, detail, remedy, false, Duration.ZERO, null);
  }

  /** The disk or the network is at fault, and trying again at once does not help. */
  public static StoreException environment(
      String place, String detail, String remedy, @Nullable Throwable cause) {
    return new StoreException(
        FailureKind.ENVIRONMENT, place, detail, remedy, false, Duration.ZERO, cause);
  }

  /** The network is at fault, and trying again may help. */
  public static StoreException passing(
      String place, String detail, String remedy, @Nullable Throwable cause) {
    return new StoreException(
        FailureKind.ENVIRONMENT, place, detail, remedy, true, Duration.ZERO, cause);
  }

  /** A server asks for patience: trying again may help after {@code wait}. */
  public static StoreException busy(String place, String detail, String remedy, Duration wait) {
    return new StoreException(FailureKind.ENVIRONMENT, place, detail, remedy, true, wait, null);
  }

  /** The thread was interrupted. */
  public static StoreException interrupted(String place, Throwable cause) {
    return new StoreException(
        FailureKind.STOPPED,
        place,
        "reading was interrupted",
        "Run the same command again.",
        false,
        Duration.ZERO,
        cause);
  }

  /** The same failure for another thread that waits for the same bytes. */
  StoreException again() {
    return new StoreException(kind(), place, detail, remedy(), passing, wait, this);
  }

  /** Where: the file or the store. */
  public String place() {
    return place;
  }

  /** What, without the place. */
  public String detail() {
    return detail;
  }

  /** How long to wait before the next attempt, where {@code planned} is what the caller would. */
  Duration wait(Duration planned) {
    return wait.compareTo(planned) > 0 ? wait : planned;
  }

  /** Whether trying again may help. */
  public boolean isPassing() {
    return passing;
  }
}
