package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;

/** States in native memory. Borrows it. */
record KeptStates(FloatMatrix all) implements ResidualStates {
  @Override
  public FloatMatrix place(int firstToken, int tokens) {
    return all.slice(firstToken, tokens);
  }

  @Override
  public FloatMatrix load(int firstToken, int tokens) {
    return all.slice(firstToken, tokens);
  }

  @Override
  public void store(int firstToken, FloatMatrix states) {
    // They never left.
  }

  @Override
  public void close() {
    // The arena owns the memory.
  }
}
