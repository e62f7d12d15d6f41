package io.cafeq.engine.store;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import org.jspecify.annotations.Nullable;

/** A failure of a store: where, what, whether trying again can help, and what to do. */
public final class StoreException extends EngineException {
  private static final long serialVersionUID = 1L;

  private final String place;
  private final String detail;
  private final boolean passing;

  private StoreException(
      FailureKind kind,
      String place,
      String detail,
      String remedy,
      boolean passing,
      @Nullable Throwable cause) {
    super(kind, place + ": " + detail, remedy, cause);
    this.place = place;
    this.detail = detail;
    this.passing = passing;
  }

  /** The files are at fault. */
  public static StoreException checkpoint(String place, String detail, String remedy) {
    return new StoreException(FailureKind.CHECKPOINT, place, detail, remedy, false, null);
  }

  /** The request is at fault. */
  public static StoreException usage(String place, String detail, String remedy) {
    return new StoreException(FailureKind.USAGE, place, detail, remedy, false, null);
  }

  /** The disk or the network is at fault, and trying again at once does not help. */
  public static StoreException environment(
      String place, String detail, String remedy, @Nullable Throwable cause) {
    return new StoreException(FailureKind.ENVIRONMENT, place, detail, remedy, false, cause);
  }

  /** The network is at fault, and trying again may help. */
  public static StoreException passing(
      String place, String detail, String remedy, @Nullable Throwable cause) {
    return new StoreException(FailureKind.ENVIRONMENT, place, detail, remedy, true, cause);
  }

  /** The thread was interrupted. */
  public static StoreException interrupted(String place, Throwable cause) {
    return new StoreException(
        FailureKind.STOPPED,
        place,
        "reading was interrupted",
        "Run the same command again.",
        false,
        cause);
  }

  /** The same failure for another thread that waits for the same bytes. */
  StoreException again() {
    return new StoreException(kind(), place, detail, remedy(), passing, this);
  }

  /** Where: the file or the store. */
  public String place() {
    return place;
  }

  /** What, without the place. */
  public String detail() {
    return detail;
  }

  /** Whether trying again may help. */
  public boolean isPassing() {
    return passing;
  }
}
