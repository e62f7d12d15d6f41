package io.cafeq.tools;

import java.util.concurrent.TimeUnit;

/**
 * How far a command is that goes through things one by one: a live line on a terminal, a line now
 * and then elsewhere.
 */
final class StepProgress implements AutoCloseable {
  private static final long LIVE_INTERVAL = TimeUnit.MILLISECONDS.toNanos(200);
  private static final long LINE_INTERVAL = TimeUnit.SECONDS.toNanos(10);

  private final Console console;
  private final String doing;
  private final long all;
  private long done;
  private long lastShown = System.nanoTime();

  /**
   * @param all how much there is to do, in any unit that the steps have too
   */
  StepProgress(Console console, String doing, long all) {
    this.console = console;
    this.doing = doing;
    this.all = all;
  }

  void advance(long step) {
    done += step;
    long now = System.nanoTime();
    boolean live = console.columns().isPresent();
    if (now - lastShown < (live ? LIVE_INTERVAL : LINE_INTERVAL)) {
      return;
    }
    lastShown = now;
    String line = doing + ": " + (all == 0 ? 100 : 100 * done / all) + " %";
    if (live) {
      console.live(line);
    } else {
      console.message("cafeq: " + line);
    }
  }

  /** Clears the live line. */
  @Override
  public void close() {
    if (console.columns().isPresent()) {
      console.live("");
    }
  }
}
