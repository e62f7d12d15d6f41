package io.cafeq.engine.measure;

/**
 * Takes the statistics of a model's layers in their order. Made, used and closed on one thread;
 * owns its memory.
 */
public interface LayerPass extends AutoCloseable {
  /**
   * Takes those of one more layer, unless its file is there; returns its number, from 0. Throws an
   * {@link io.cafeq.engine.failure.EngineException}.
   */
  int next();

  @Override
  void close();
}
