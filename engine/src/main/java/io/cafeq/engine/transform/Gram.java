package io.cafeq.engine.transform;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.util.ArrayList;
import java.util.List;

/**
 * Products A^T B over positions, [h, h] each, summed in double in a fixed order: exact enough that
 * differences of such products keep their meaning. Several sums share the scratch. On the heap; not
 * thread-safe.
 */
public final class Gram {
  private static final int TILE = 64;

  /** Rows of a product with itself begin at multiples of this, where vectors begin. */
  private static final int STEP = 16;

  private final int h;
  private final List<double[][]> sums = new ArrayList<>();
  private final double[][] left;
  private final double[][] right;

  /** Room for {@code count} sums of size h. */
  public Gram(int h, int count) {
    this.h = h;
    for (int i = 0; i < count; i++) {
      sums.add(new double[h][h]);
    }
    left = new double[TILE][h];
    right = new double[TILE][h];
  }

  /** The products of all channels of one matrix with each other. */
  public static double[] of(FloatMatrix matrix, Side side) {
    int h = side == Side.OUTPUT ? matrix.rows() : matrix.columns();
    Gram gram = new Gram(h, 1);
    ChannelRows rows = new ChannelRows(matrix, side, 0, h);
    gram.add(0, rows, rows);
    return gram.matrix(0);
  }

  /**
   * Adds all positions of two matrices that have as many of them to a sum. The same object twice is
   * read once and half the work; a sum takes either such products of a matrix with itself or
   * others, not both.
   */
  public void add(int sum, ChannelRows a, ChannelRows b) {
    int positions = a.positions();
    for (int first = 0; first < positions; first += TILE) {
      int count = Math.min(TILE, positions - first);
      a.read(first, count, left);
      if (a != b) {
        b.read(first, count, right);
      }
      add(sums.get(sum), left, a == b ? left : right, count);
    }
    if (a == b) {
      mirror(sums.get(sum));
    }
  }

  /** The lower half of a product that is symmetric: what {@link #add} left out, to the last bit. */
  private void mirror(double[][] sum) {
    for (int i = 0; i < h; i++) {
      for (int j = 0; j < start(i); j++) {
        sum[i][j] = sum[j][i];
      }
    }
  }

  private static int start(int row) {
    return row / STEP * STEP;
  }

  private void add(double[][] sum, double[][] a, double[][] b, int count) {
    boolean symmetric = a == b;
    int row = 0;
    for (; row + 4 <= count; row += 4) {
      for (int i = 0; i < h; i++) {
        addFour(
            sum[i],
            symmetric ? start(i) : 0,
            b[row],
            b[row + 1],
            b[row + 2],
            b[row + 3],
            a[row][i],
            a[row + 1][i],
            a[row + 2][i],
            a[row + 3][i]);
      }
    }
    for (; row < count; row++) {
      for (int i = 0; i < h; i++) {
        addOne(sum[i], symmetric ? start(i) : 0, b[row], a[row][i]);
      }
    }
  }

  private static void addFour(
      double[] sum,
      int from,
      double[] b0,
      double[] b1,
      double[] b2,
      double[] b3,
      double a0,
      double a1,
      double a2,
      double a3) {
    for (int i = from; i < sum.length; i++) {
      sum[i] += a0 * b0[i] + a1 * b1[i] + a2 * b2[i] + a3 * b3[i];
    }
  }

  private static void addOne(double[] sum, int from, double[] b, double a) {
    for (int i = from; i < sum.length; i++) {
      sum[i] += a * b[i];
    }
  }

  /** What was added to a sum so far, row-major. */
  public double[] matrix(int sum) {
    double[] all = new double[h * h];
    for (int i = 0; i < h; i++) {
      System.arraycopy(sums.get(sum)[i], 0, all, i * h, h);
    }
    return all;
  }
}
