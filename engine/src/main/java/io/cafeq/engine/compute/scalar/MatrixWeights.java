package io.cafeq.engine.compute.scalar;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.PairProblem;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The weights of a borrowed matrix, each times a factor of its position and one of all. Not
 * thread-safe.
 */
final class MatrixWeights implements ScalarWeights {
  private final FloatMatrix matrix;
  private final Side side;
  private final double[] byPosition;
  private final double scale;
  private final float[] piece;

  /**
   * @param side where the channels are: rows for OUTPUT, columns for INPUT
   * @param byPosition a factor for each position; empty where all are 1
   */
  private MatrixWeights(FloatMatrix matrix, Side side, double[] byPosition, double scale) {
    this.matrix = matrix;
    this.side = side;
    this.byPosition = byPosition;
    this.scale = scale;
    piece = new float[matrix.columns()];
  }

  /** All blocks of a problem, one after the other, divided by the RMS of all. */
  static MatrixWeights of(LearnProblem problem) {
    Side side =
        switch (problem) {
          case LearnProblem.Rows rows -> rows.transposed() ? Side.INPUT : Side.OUTPUT;
          case LearnProblem.Stripe stripe -> Side.INPUT;
        };
    MatrixWeights asIs = new MatrixWeights(problem.weights(), side, new double[0], 1);
    double[] even =
        problem instanceof LearnProblem.Rows rows && rows.evenColumns()
            ? asIs.evenPositions()
            : new double[0];
    MatrixWeights evened = new MatrixWeights(problem.weights(), side, even, 1);
    return new MatrixWeights(problem.weights(), side, even, evened.inverseRms());
  }

  /** A factor of a pair as it is. */
  static MatrixWeights of(PairProblem.Factor factor) {
    return new MatrixWeights(factor.weights(), factor.side(), new double[0], 1);
  }

  /** What divides each position by its RMS. */
  private double[] evenPositions() {
    double[] scales = new double[positions()];
    double[] column = new double[channels()];
    for (int i = 0; i < scales.length; i++) {
      position(i, column);
      double sum = 0;
      for (double x : column) {
        sum += x * x;
      }
      scales[i] = sum > 0 ? 1 / Math.sqrt(sum / column.length) : 0;
    }
    return scales;
  }

  private double inverseRms() {
    double[] row = new double[positions()];
    double sum = 0;
    for (int c = 0; c < channels(); c++) {
      channel(c, row);
      for (double x : row) {
        sum += x * x;
      }
    }
    return sum > 0 ? 1 / Math.sqrt(sum / matrix.elements()) : 0;
  }

  /** The same divided by the RMS of all, the squares summed channel by channel. */
  MatrixWeights normalised() {
    double[] row = new double[positions()];
    double[] energies = new double[channels()];
    for (int c = 0; c < energies.length; c++) {
      channel(c, row);
      energies[c] = energy(row);
    }
    double mean = Arrays.stream(energies).sum() / ((double) channels() * positions());
    return new MatrixWeights(matrix, side, byPosition, mean > 0 ? 1 / Math.sqrt(mean) : 0);
  }

  /** Sum of squares. */
  static double energy(double[] row) {
    return Arrays.stream(row).map(x -> x * x).sum();
  }

  @Override
  public int channels() {
    return side == Side.OUTPUT ? matrix.rows() : matrix.columns();
  }

  @Override
  public int positions() {
    return side == Side.OUTPUT ? matrix.columns() : matrix.rows();
  }

  @Override
  public boolean byPosition() {
    return side == Side.INPUT;
  }

  @Override
  public void channel(int channel, double[] to) {
    switch (side) {
      case OUTPUT -> line(channel, to);
      case INPUT -> across(channel, to);
    }
    for (int i = 0; i < positions(); i++) {
      to[i] = scaled(to[i], i);
    }
  }

  @Override
  public void position(int position, double[] to) {
    switch (side) {
      case OUTPUT -> across(position, to);
      case INPUT -> line(position, to);
    }
    for (int c = 0; c < channels(); c++) {
      to[c] = scaled(to[c], position);
    }
  }

  private double scaled(double weight, int position) {
    return (byPosition.length == 0 ? weight : weight * byPosition[position]) * scale;
  }

  private void line(int row, double[] to) {
    MemorySegment.copy(
        matrix.segment(),
        ValueLayout.JAVA_FLOAT,
        (long) Float.BYTES * row * matrix.columns(),
        piece,
        0,
        piece.length);
    for (int i = 0; i < piece.length; i++) {
      to[i] = piece[i];
    }
  }

  private void across(int column, double[] to) {
    for (int row = 0; row < matrix.rows(); row++) {
      to[row] = matrix.get(row, column);
    }
  }
}
