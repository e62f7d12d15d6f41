package io.cafeq.tools.reproduce;

import io.cafeq.config.Loss;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EquationOne;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Table 1: the relative l2 error of the down projection of Gemma 2 2B (2304 out, 9216 in) at 4 bits
 * a channel, here on Gaussian weights of that shape. The grid is Eq. (1) as printed, rounding is to
 * the nearest level, nothing is clipped and P is not rounded, so that nothing but the transform
 * helps.
 */
public final class TableOne implements PaperTable {
  private static final int ROWS = 2304;
  private static final int COLUMNS = 9216;
  private static final int BITS = 4;
  private static final int STEPS = 100;
  private static final int HADAMARD = 1024;

  /**
   * Learned blocks are independent and alike, so a part of the rows is enough: the error of a block
   * varies by 0.5 %.
   */
  private static final int LEARNED_ROWS = 256;

  private final Learner learner;
  private final long seed;
  private final StopFlag stop;

  /** Borrows the learner. */
  public TableOne(Learner learner, long seed, StopFlag stop) {
    this.learner = learner;
    this.seed = seed;
    this.stop = stop;
  }

  @Override
  public String description() {
    return """
    Table 1: relative l2 error at 4 bits a channel, 2304 x 9216, 100 steps
    The paper: the down projection of Gemma 2 2B. Measured: Gaussian weights of that shape, since the paper's are not here;
    a learned figure is that of 256 rows.
    """
        .stripTrailing();
  }

  @Override
  public List<Reproduced> run(Consumer<Reproduced> each) {
    List<Column> columns =
        List.of(
            new Column("UNIFORM", .176, this::uniform),
            new Column("RANDOM 1024", .155, this::hadamard),
            new Column("CafeQ k=32", .113, () -> learned(32)),
            new Column("CafeQ k=64", .103, () -> learned(64)),
            new Column("CafeQ k=128", .094, () -> learned(128)),
            new Column("CafeQ k=256", .085, () -> learned(256)));
    return columns.stream()
        .map(
            column -> {
              stop.check();
              Reproduced row =
                  new Reproduced(column.name(), column.paper(), column.measure().relativeError());
              each.accept(row);
              return row;
            })
        .toList();
  }

  private record Column(String name, double paper, Measure measure) {}

  private interface Measure {
    double relativeError();
  }

  private double uniform() {
    Sums sums = new Sums();
    for (int row = 0; row < LEARNED_ROWS; row++) {
      double[] w = weights(row, COLUMNS);
      sums.error += EquationOne.of(w, 0, COLUMNS, BITS, 1).squaredError(w, 0, COLUMNS);
      sums.norm += squares(w);
    }
    return sums.relative();
  }

  /**
   * Hadamard times random signs over sqrt(n) on all rows, what is left over in powers of two. It
   * keeps norms.
   */
  private double hadamard() {
    Sums sums = new Sums();
    for (int first = 0; first < ROWS; ) {
      int k = Integer.highestOneBit(Math.min(HADAMARD, ROWS - first));
      byte[] signs = Orthogonal.signs(k, Seeds.of(seed, "table1", first, "signs"));
      double[][] v = new double[k][];
      for (int j = 0; j < k; j++) {
        v[j] = weights(first + j, COLUMNS);
        sums.norm += squares(v[j]);
        scale(v[j], ((signs[j / 8] >> (j % 8) & 1) == 1 ? -1 : 1) / Math.sqrt(k));
      }
      for (int half = 1; half < k; half *= 2) {
        stop.check();
        for (int j = 0; j < k; j++) {
          if ((j & half) == 0) {
            butterfly(v[j], v[j + half]);
          }
        }
      }
      for (double[] row : v) {
        sums.error += EquationOne.of(row, 0, COLUMNS, BITS, 1).squaredError(row, 0, COLUMNS);
      }
      first += k;
    }
    return sums.relative();
  }

  private double learned(int k) {
    Sums sums = new Sums();
    for (int first = 0; first < LEARNED_ROWS; first += k) {
      try (Arena arena = Arena.ofConfined()) {
        FloatMatrix block = FloatMatrix.allocate(arena, k, COLUMNS);
        double[][] w = new double[k][];
        for (int j = 0; j < k; j++) {
          w[j] = weights(first + j, COLUMNS);
          for (int c = 0; c < COLUMNS; c++) {
            block.set(j, c, (float) w[j][c]);
          }
          sums.norm += squares(w[j]);
        }
        LearnProblem problem = new LearnProblem.Rows(block, 0, false, false, false);
        double[] start = Orthogonal.rotation(k, Seeds.of(seed, "table1", first, "start"));
        LearningTask task = LearningTask.of(problem, List.of(start), Loss.P_NORM, STEPS);
        sums.error += squaredError(learner.learn(task, stop).getFirst(), w, k);
      }
    }
    return sums.relative();
  }

  /** ||P (Q(V) - V)||^2 with V = M W. */
  private static double squaredError(double[] m, double[][] w, int k) {
    double[][] deviations = new double[k][];
    for (int j = 0; j < k; j++) {
      double[] v = combine(m, j, w, k);
      EquationOne grid = EquationOne.of(v, 0, COLUMNS, BITS, 1);
      for (int c = 0; c < COLUMNS; c++) {
        v[c] = grid.value(grid.code(v[c])) - v[c];
      }
      deviations[j] = v;
    }
    double[] p = SquareMatrices.invert(m, k);
    double error = 0;
    for (int i = 0; i < k; i++) {
      error += squares(combine(p, i, deviations, k));
    }
    return error;
  }

  /** Row {@code row} of a times b. */
  private static double[] combine(double[] a, int row, double[][] b, int k) {
    double[] sum = new double[COLUMNS];
    for (int i = 0; i < k; i++) {
      addScaled(sum, b[i], a[row * k + i]);
    }
    return sum;
  }

  private static void addScaled(double[] y, double[] x, double factor) {
    for (int i = 0; i < y.length; i++) {
      y[i] += factor * x[i];
    }
  }

  private static void butterfly(double[] a, double[] b) {
    for (int i = 0; i < a.length; i++) {
      double x = a[i];
      double y = b[i];
      a[i] = x + y;
      b[i] = x - y;
    }
  }

  private static void scale(double[] x, double factor) {
    for (int i = 0; i < x.length; i++) {
      x[i] *= factor;
    }
  }

  private static double squares(double[] x) {
    double sum = 0;
    for (double value : x) {
      sum += value * value;
    }
    return sum;
  }

  private double[] weights(int row, int count) {
    return Seeds.gaussians(new SplittableRandom(Seeds.of(seed, "table1", row, "weights")), count);
  }

  private static final class Sums {
    private double error;
    private double norm;

    private double relative() {
      return Math.sqrt(error / norm);
    }
  }
}
