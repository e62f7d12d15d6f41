package io.cafeq.engine.compute.scalar;

/** W as the reference meets it, in doubles, read when it is needed: [channels, positions]. */
interface ScalarWeights {
  int channels();

  int positions();

  /**
   * Whether the channels of a position are together in memory, rather than a channel's positions.
   */
  boolean byPosition();

  /** Reads all positions of a channel. */
  void channel(int channel, double[] to);

  /** Reads all channels of a position. */
  void position(int position, double[] to);
}
