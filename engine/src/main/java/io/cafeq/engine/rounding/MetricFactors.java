package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.statistics.InputMoments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Makes the factors of a metric, block by block, in doubles. */
final class MetricFactors {
  /** The least damping beyond that asked for, by the mean diagonal. */
  private static final double LEAST_RAISE = 1e-6;

  private final MatrixProducts products;
  private final SymmetricFactor factors;
  private final double share;
  private final double unit;
  private final Arena arena;

  /**
   * @param share that errors count; 0 where the moments say that they count nothing
   * @param unit mean of the diagonal, in which damping is raised
   * @param arena that owns the factors
   */
  MetricFactors(MatrixProducts products, double share, double unit, Arena arena) {
    this.products = products;
    this.share = share;
    this.unit = unit;
    this.arena = arena;
    factors = new SymmetricFactor(products);
  }

  /** One symmetric matrix that is factored by itself. */
  interface Matrix {
    int firstChannel();

    int channels();

    /** Its diagonal once {@code raised} was added to that of H. */
    double[] diagonal(double raised);

    /** The upper half of the same matrix with rows and columns in an order. */
    void fill(double raised, int[] order, DoubleMatrix to);
  }

  /**
   * @param first what is added to the diagonal of H, if that is enough
   */
  InputMetric make(List<Matrix> matrices, List<InputMoments.Block> moments, double first) {
    double raised = first;
    while (true) {
      Optional<InputMetric> made = made(matrices, moments, raised);
      if (made.isPresent()) {
        return made.get();
      }
      raised = Math.max(10 * raised, LEAST_RAISE * unit);
      if (!Double.isFinite(raised)) {
        throw new IllegalStateException("a metric is not finite");
      }
    }
  }

  private Optional<InputMetric> made(
      List<Matrix> matrices, List<InputMoments.Block> moments, double raised) {
    List<InputMetric.Block> blocks = new ArrayList<>();
    double[] diagonal = new double[matrices.stream().mapToInt(Matrix::channels).sum()];
    for (Matrix matrix : matrices) {
      double[] own = matrix.diagonal(raised);
      System.arraycopy(own, 0, diagonal, matrix.firstChannel(), own.length);
      Optional<InputMetric.Block> block = block(matrix, own, raised);
      if (block.isEmpty()) {
        return Optional.empty();
      }
      blocks.add(block.get());
    }
    return Optional.of(new InputMetric(blocks, moments, raised, share, diagonal));
  }

  private Optional<InputMetric.Block> block(Matrix matrix, double[] diagonal, double raised) {
    int n = matrix.channels();
    int[] order =
        IntStream.range(0, n)
            .boxed()
            .sorted(
                Comparator.<Integer>comparingDouble(c -> diagonal[c])
                    .thenComparing(Comparator.reverseOrder()))
            .mapToInt(Integer::intValue)
            .toArray();
    try (Arena room = Arena.ofConfined()) {
      DoubleMatrix full = DoubleMatrix.allocate(room, n, n);
      matrix.fill(raised, order, full);
      if (!factors.factor(full)) {
        return Optional.empty();
      }
      int[] channels = new int[n];
      for (int c = 0; c < n; c++) {
        channels[c] = matrix.firstChannel() + order[c];
      }
      return Optional.of(unit(full, channels));
    }
  }

  /** R with its rows divided by their diagonal entries, as floats. */
  private InputMetric.Block unit(DoubleMatrix factor, int[] channels) {
    int n = channels.length;
    FloatMatrix upper = FloatMatrix.allocate(arena, n, n);
    double[] squares = new double[n];
    double[] row = new double[n];
    float[] scaled = new float[n];
    for (int c = 0; c < n; c++) {
      factor.read(c, c, row, n - c);
      squares[c] = share * row[0] * row[0];
      for (int d = 0; d < n - c; d++) {
        scaled[d] = (float) (row[d] / row[0]);
      }
      MemorySegment.copy(
          scaled,
          0,
          upper.segment(),
          ValueLayout.JAVA_FLOAT,
          Float.BYTES * ((long) c * n + c),
          n - c);
    }
    return new InputMetric.Block(channels, upper, squares);
  }
}
