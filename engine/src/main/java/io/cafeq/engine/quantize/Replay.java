package io.cafeq.engine.quantize;

/**
 * Tells of progress once, also where work begins anew: the second time nothing is told before it
 * has come as far as the first one. Used by one thread.
 */
final class Replay implements Progress {
  private final Progress progress;
  private long told;
  private long done;

  Replay(Progress progress) {
    this.progress = progress;
  }

  /** The work begins anew. */
  void again() {
    done = 0;
  }

  @Override
  public void advanced(long weights) {
    done += weights;
    if (done > told) {
      progress.advanced(done - told);
      told = done;
    }
  }
}
