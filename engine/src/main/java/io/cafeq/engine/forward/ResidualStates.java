package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;

/** The states [tokens, hidden] of all windows between two layers. Used by one thread at a time. */
public interface ResidualStates extends AutoCloseable {
  /**
   * Keeps states somewhere else than in memory, where memory has no room for those of all windows.
   */
  @FunctionalInterface
  interface Overflow {
    /**
     * States of undefined content.
     *
     * @param buffer [most tokens of a chunk, hidden], borrowed until the states are closed
     */
    ResidualStates open(FloatMatrix buffer);
  }

  /** Room for the states of some tokens, of undefined content; borrowed until the next call. */
  FloatMatrix place(int firstToken, int tokens);

  /** The states that were stored; borrowed until the next call, to be changed at will. */
  FloatMatrix load(int firstToken, int tokens);

  /** Keeps what {@link #place} or {@link #load} gave out last. */
  void store(int firstToken, FloatMatrix states);

  @Override
  void close();
}
