package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.List;

/** Sees what goes into the matrices of one layer. */
@FunctionalInterface
public interface InputObserver {
  /** Looks at nothing. */
  InputObserver NONE = (input, matrices, x) -> {};

  /**
   * Called once for each chunk of windows, in order. The input of an expert holds only the tokens
   * that were sent to it, and is left out where there are none. What experts fall back on is given
   * besides, with no matrices: the input of gate and up for all tokens at once, that of down expert
   * by expert.
   *
   * @param matrices full names of all weights that read the input, in the order in which they are
   *     used
   * @param x [tokens, in], borrowed until the call returns; not to be changed
   */
  void observe(MatrixInput input, List<String> matrices, FloatMatrix x);
}
