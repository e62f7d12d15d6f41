package io.cafeq.engine.transform;

import java.util.Arrays;

/**
 * Small dense algebra on k x k matrices, row-major doubles, in a fixed order of operations. Rows
 * are separate arrays inside the loops: C2 vectorises loops whose arrays all have the same index.
 */
public final class SquareMatrices {
  private SquareMatrices() {}

  public static double[] identity(int k) {
    double[] m = new double[k * k];
    for (int i = 0; i < k; i++) {
      m[i * k + i] = 1;
    }
    return m;
  }

  public static double[] transpose(double[] a, int k) {
    double[] t = new double[k * k];
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < k; j++) {
        t[j * k + i] = a[i * k + j];
      }
    }
    return t;
  }

  /** a x, x a vector. */
  public static double[] apply(double[] a, double[] x) {
    double[] product = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x.length; j++) {
        product[i] += a[i * x.length + j] * x[j];
      }
    }
    return product;
  }

  /** Adds x y^T to {@code sum}. */
  public static void addOuter(double[] sum, double[] x, double[] y) {
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x.length; j++) {
        sum[i * x.length + j] += x[i] * y[j];
      }
    }
  }

  /** x^T a y. */
  public static double form(double[] x, double[] a, double[] y) {
    double sum = 0;
    double[] product = apply(a, y);
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * product[i];
    }
    return sum;
  }

  /** a b. */
  public static double[] multiply(double[] a, double[] b, int k) {
    double[][] rows = rows(b, k);
    double[] product = new double[k * k];
    double[] sum = new double[k];
    for (int i = 0; i < k; i++) {
      Arrays.fill(sum, 0);
      for (int j = 0; j < k; j++) {
        addScaled(sum, rows[j], a[i * k + j], k);
      }
      System.arraycopy(sum, 0, product, i * k, k);
    }
    return product;
  }

  /**
   * The inverse by Gauss-Jordan elimination with partial pivoting, or a matrix with entries that
   * are not finite where there is none.
   */
  public static double[] invert(double[] a, int k) {
    double[][] left = rows(a, k);
    double[][] right = rows(identity(k), k);
    for (int pivot = 0; pivot < k; pivot++) {
      int best = pivot;
      for (int i = pivot + 1; i < k; i++) {
        if (Math.abs(left[i][pivot]) > Math.abs(left[best][pivot])) {
          best = i;
        }
      }
      swap(left, pivot, best);
      swap(right, pivot, best);
      double scale = 1 / left[pivot][pivot];
      scale(left[pivot], scale, k);
      scale(right[pivot], scale, k);
      for (int i = 0; i < k; i++) {
        double factor = left[i][pivot];
        if (i != pivot && factor != 0) {
          addScaled(left[i], left[pivot], -factor, k);
          addScaled(right[i], right[pivot], -factor, k);
        }
      }
    }
    return flatten(right, k);
  }

  /**
   * T of the decomposition a = Q T (Householder): upper triangular with a positive diagonal where a
   * has full rank.
   */
  public static double[] upperTriangular(double[] a, int k) {
    double[][] columns = rows(transpose(a, k), k);
    double[] reflector = new double[k];
    for (int j = 0; j < k; j++) {
      double norm = 0;
      for (int i = j; i < k; i++) {
        norm += columns[j][i] * columns[j][i];
      }
      norm = Math.sqrt(norm);
      if (norm == 0) {
        continue;
      }
      double first = columns[j][j];
      double target = first > 0 ? -norm : norm;
      Arrays.fill(reflector, 0);
      System.arraycopy(columns[j], j, reflector, j, k - j);
      reflector[j] = first - target;
      double squared = 2 * norm * (norm + Math.abs(first));
      for (int c = j; c < k; c++) {
        double dot = 0;
        for (int i = j; i < k; i++) {
          dot += reflector[i] * columns[c][i];
        }
        addScaled(columns[c], reflector, -2 * dot / squared, k);
      }
    }
    double[] t = new double[k * k];
    for (int i = 0; i < k; i++) {
      double sign = columns[i][i] < 0 ? -1 : 1;
      for (int j = i; j < k; j++) {
        t[i * k + j] = sign * columns[j][i];
      }
    }
    return t;
  }

  /**
   * T of a = T^T T (Cholesky): upper triangular with a positive diagonal, or with entries that are
   * not finite where a is not positive definite. Only the upper half of {@code a} is read.
   */
  public static double[] choleskyFactor(double[] a, int k) {
    double[][] rows = rows(a, k);
    for (int j = 0; j < k; j++) {
      Arrays.fill(rows[j], 0, j, 0);
      scale(rows[j], 1 / Math.sqrt(rows[j][j]), k);
      for (int i = j + 1; i < k; i++) {
        addScaled(rows[i], rows[j], -rows[j][i], k);
      }
    }
    return flatten(rows, k);
  }

  /** trace(a b^T): the sum over all entries of a times b. */
  public static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** Squared norms of the columns. */
  public static double[] columnEnergies(double[] a, int k) {
    double[] energies = new double[k];
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < k; j++) {
        energies[j] += a[i * k + j] * a[i * k + j];
      }
    }
    return energies;
  }

  /** The diagonal of a^T h a, h symmetric. */
  public static double[] columnForms(double[] a, double[] h, int k) {
    double[] product = multiply(h, a, k);
    double[] forms = new double[k];
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < k; j++) {
        forms[j] += a[i * k + j] * product[i * k + j];
      }
    }
    return forms;
  }

  /**
   * What the gradient of a loss owes to P = M^-1: -2 P^T P diag(f) P^T, with f_j in {@code shares}.
   */
  public static double[] metricGradient(double[] inverse, double[] shares, int k) {
    return metricGradient(inverse, inverse, shares, k);
  }

  /** The same in a metric H: -2 P^T H P diag(f) P^T, with H P in {@code product}. */
  public static double[] metricGradient(
      double[] inverse, double[] product, double[] shares, int k) {
    double[] back = transpose(inverse, k);
    double[] left = multiply(back, product, k);
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < k; j++) {
        left[i * k + j] *= -2 * shares[j];
      }
    }
    return multiply(left, back, k);
  }

  public static boolean isFinite(double[] a) {
    for (double x : a) {
      if (!Double.isFinite(x)) {
        return false;
      }
    }
    return true;
  }

  static double[][] rows(double[] a, int k) {
    double[][] rows = new double[k][];
    for (int i = 0; i < k; i++) {
      rows[i] = Arrays.copyOfRange(a, i * k, (i + 1) * k);
    }
    return rows;
  }

  private static double[] flatten(double[][] rows, int k) {
    double[] a = new double[k * k];
    for (int i = 0; i < k; i++) {
      System.arraycopy(rows[i], 0, a, i * k, k);
    }
    return a;
  }

  private static void addScaled(double[] y, double[] x, double factor, int count) {
    for (int i = 0; i < count; i++) {
      y[i] += factor * x[i];
    }
  }

  private static void scale(double[] y, double factor, int count) {
    for (int i = 0; i < count; i++) {
      y[i] *= factor;
    }
  }

  private static void swap(double[][] rows, int a, int b) {
    double[] row = rows[a];
    rows[a] = rows[b];
    rows[b] = row;
  }
}
