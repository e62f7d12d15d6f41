package io.cafeq.engine.failure;

/** Stops long work, which polls it. Any thread may set it. */
public final class StopFlag {
  private volatile boolean stopped;

  public void stop() {
    stopped = true;
  }

  public boolean isStopped() {
    return stopped;
  }

  /** Throws with kind {@link FailureKind#STOPPED} once {@link #stop} was called. */
  public void check() {
    if (stopped) {
      throw new EngineException(
          FailureKind.STOPPED, "stopped on request", "Run the same command again to continue.");
    }
  }
}
