package io.cafeq.engine.compute.nd4j;

/**
 * Subgradients of true ranges: of each group one entry with the largest value and one with the
 * smallest take all. Told the ranges first, then shown the entries, in as many pieces as there are;
 * of equal entries the first one shown counts. Reused; on the heap.
 */
final class RangeEnds {
  private final float[] low;
  private final float[] high;
  private final float[] lowSlope;
  private final float[] highSlope;

  RangeEnds(int groups) {
    low = new float[groups];
    high = new float[groups];
    lowSlope = new float[groups];
    highSlope = new float[groups];
  }

  /**
   * Announces a group whose loss is {@code norm} R^2; returns R^2.
   *
   * @param symmetric whether R is the largest magnitude, else it is half of maximum minus minimum
   */
  double expect(int group, double smallest, double largest, double norm, boolean symmetric) {
    low[group] = (float) smallest;
    high[group] = (float) largest;
    if (symmetric) {
      boolean atHigh = largest >= -smallest;
      double top = atHigh ? largest : -smallest;
      float slope = (float) (2 * norm * top);
      highSlope[group] = atHigh ? slope : 0;
      lowSlope[group] = atHigh ? 0 : slope;
      return top * top;
    }
    double half = (largest - smallest) / 2;
    highSlope[group] = (float) (norm * half);
    lowSlope[group] = highSlope[group];
    return half * half;
  }

  /**
   * Replaces the entries by d loss / d entry; lane l belongs to group l modulo the number of
   * groups.
   */
  void replace(float[][] rows, int first, int end, int lanes) {
    int groups = low.length;
    for (int row = first; row < end; row++) {
      for (int start = 0; start < lanes; start += groups) {
        replace(rows[row], start, Math.min(groups, lanes - start));
      }
    }
  }

  private void replace(float[] entries, int start, int count) {
    for (int group = 0; group < count; group++) {
      float entry = entries[start + group];
      float slope = 0;
      if (entry == high[group]) {
        slope += highSlope[group];
        highSlope[group] = 0; // taken
      }
      if (entry == low[group]) {
        slope -= lowSlope[group];
        lowSlope[group] = 0;
      }
      entries[start + group] = slope;
    }
  }
}
