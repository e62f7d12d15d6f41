package io.cafeq.engine.rounding;

/** The grid of each lane, and what a stochastic rule adds to it. On the heap, reused. */
record GridLanes(float[] steps, float[] inverses, float[] zeros, float[] dither) {
  GridLanes(int lanes) {
    this(new float[lanes], new float[lanes], new float[lanes], new float[lanes]);
  }
}
