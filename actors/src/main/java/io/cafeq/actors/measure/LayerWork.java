package io.cafeq.actors.measure;

/**
 * Measures the layers of a model in their order. Made, used and closed on one thread; owns its
 * memory.
 */
public interface LayerWork extends AutoCloseable {
  /**
   * Measures one more layer; returns its number. Throws an {@link
   * io.cafeq.engine.failure.EngineException}.
   */
  int next();

  @Override
  void close();

  /** Makes the work. */
  @FunctionalInterface
  interface Factory {
    /** Called on the thread that the work is for. */
    LayerWork open();
  }
}
