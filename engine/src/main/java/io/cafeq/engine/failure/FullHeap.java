package io.cafeq.engine.failure;

/** What to do where the Java heap is full: --max-memory does not change it. */
public final class FullHeap {
  private FullHeap() {}

  /** The setting for a heap twice as large as this process's, as a user types it. */
  public static String larger() {
    return "CAFEQ_JAVA_OPTS=-Xmx" + (Runtime.getRuntime().maxMemory() >> 19) + "m";
  }
}
