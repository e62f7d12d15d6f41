package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;

/** Which positions tokens have, and which keys and values their queries meet. */
interface Attending {
  /** The position of a token of the batch, from 0. */
  int position(int token);

  /**
   * softmax(scale q k^T) v, head by head, over earlier positions.
   *
   * @param layer from 0
   * @param queries [tokens, query heads x size], placed
   * @param keys [tokens, key-value heads x size], placed
   * @param values of the shape of the keys
   * @param result of the shape of the queries
   */
  void attend(
      int layer, FloatMatrix queries, FloatMatrix keys, FloatMatrix values, FloatMatrix result);
}
