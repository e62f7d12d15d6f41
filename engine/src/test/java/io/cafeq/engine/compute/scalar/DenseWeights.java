package io.cafeq.engine.compute.scalar;

import java.util.List;
import java.util.stream.Stream;

/** Weights in doubles, as the golden cases have them. */
record DenseWeights(double[][] channelRows) implements ScalarWeights {
  /** Blocks one after the other, each [channel][position]. */
  static DenseWeights of(List<double[][]> blocks) {
    return new DenseWeights(blocks.stream().flatMap(Stream::of).toArray(double[][]::new));
  }

  @Override
  public int channels() {
    return channelRows.length;
  }

  @Override
  public int positions() {
    return channelRows[0].length;
  }

  @Override
  public boolean byPosition() {
    return false;
  }

  @Override
  public void channel(int channel, double[] to) {
    System.arraycopy(channelRows[channel], 0, to, 0, positions());
  }

  @Override
  public void position(int position, double[] to) {
    for (int c = 0; c < channels(); c++) {
      to[c] = channelRows[c][position];
    }
  }
}
