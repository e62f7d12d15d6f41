package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;

/** Takes the last states of windows, one after the other. */
@FunctionalInterface
public interface WindowConsumer {
  /**
   * @param window its place in the list of windows
   * @param states [tokens, hidden] after the final norm, borrowed until the call returns
   */
  void window(int window, FloatMatrix states);
}
