package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.transform.PairProblem;
import java.util.Arrays;
import java.util.List;

/**
 * The largest magnitude over all channels at each position of a factor divided by its RMS, and the
 * gradient of sums of them: each peak hangs on the one entry where it is. Owns W in tiles. Reused;
 * not thread-safe.
 */
final class Peaks implements AutoCloseable {
  private final int positions;
  private final StripeTiles tiles;
  private final LaneRanges ranges;
  private final int[] channel;
  private final float[] peak;

  Peaks(PairProblem.Factor factor) {
    positions = factor.positions();
    tiles = new StripeTiles(factor.weights(), factor.side(), List.of(factor.channels()));
    ranges = new LaneRanges(tiles.lanes());
    channel = new int[tiles.count() * tiles.lanes()];
    peak = new float[tiles.count() * tiles.lanes()];
  }

  int positions() {
    return positions;
  }

  /** Finds the peaks of M W. */
  void find(double[] m) {
    tiles.use(List.of(m));
    float[][] rows = tiles.rows();
    for (int tile = 0; tile < tiles.count(); tile++) {
      tiles.forward(tile);
      ranges.include(rows, 0, rows.length);
      for (int l = 0, at = tile * tiles.lanes(); l < tiles.lanes(); l++, at++) {
        peak[at] = ranges.top[l] == ranges.high(l) ? ranges.high(l) : ranges.low(l);
      }
      for (int c = rows.length - 1; c >= 0; c--) {
        float[] row = rows[c];
        for (int l = 0, at = tile * tiles.lanes(); l < tiles.lanes(); l++, at++) {
          if (row[l] == peak[at]) {
            channel[at] = c;
          }
        }
      }
    }
  }

  /** The magnitude of a position's peak. */
  double at(int position) {
    return Math.abs(peak[position]);
  }

  /** The gradient in M of the sum over positions of slope times peak. */
  double[] gradient(double[] slopes) {
    float[][] rows = tiles.rows();
    for (int tile = 0; tile < tiles.count(); tile++) {
      for (float[] row : rows) {
        Arrays.fill(row, 0);
      }
      int first = tile * tiles.lanes();
      for (int l = 0; l < Math.min(tiles.lanes(), positions - first); l++) {
        rows[channel[first + l]][l] = (float) (Math.signum(peak[first + l]) * slopes[first + l]);
      }
      tiles.backward(tile);
    }
    return tiles.products().getFirst();
  }

  @Override
  public void close() {
    tiles.close();
  }
}
