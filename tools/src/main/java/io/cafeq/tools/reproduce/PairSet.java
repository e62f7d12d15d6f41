package io.cafeq.tools.reproduce;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;

/**
 * Seeded weights of one head, h = {@value #HEAD}, {@value #POSITIONS} inputs and as many outputs.
 *
 * <ul>
 *   <li>student: entries of Student's t with 5 degrees of freedom, times 0.02 (values) and 0.03
 *       (outputs).
 *   <li>anisotropic: the same, then on both factors the h axis times exp(-0.015 i) and turned by
 *       one random rotation; the values' input columns and the outputs' rows each times exp(0.3
 *       N(0, 1)); and 20 random entries of the values times 8.
 * </ul>
 *
 * @param columns the values as [inputs, h], with a grid for each input column: the paper's axis
 * @param values the same as [h, inputs], with a grid for each output channel: the serving axis
 * @param outputs [outputs, h]
 */
record PairSet(String name, FloatMatrix columns, FloatMatrix values, FloatMatrix outputs) {
  static final int HEAD = 128;
  static final int POSITIONS = 1024;

  private static final int FREEDOM = 5;
  private static final int OUTLIERS = 20;

  static PairSet student(Arena arena, long seed) {
    return of(
        arena,
        "student",
        drawn(seed, "student", "values", 0.02),
        drawn(seed, "student", "outputs", 0.03));
  }

  static PairSet anisotropic(Arena arena, long seed) {
    double[][] values = drawn(seed, "anisotropic", "values", 0.02);
    double[][] outputs = drawn(seed, "anisotropic", "outputs", 0.03);
    double[] rotation = Orthogonal.rotation(HEAD, Seeds.of(seed, "anisotropic", 0, "rotation"));
    double[] columnScales = Seeds.gaussians(random(seed, "anisotropic", "columns"), POSITIONS);
    double[] rowScales = Seeds.gaussians(random(seed, "anisotropic", "rows"), POSITIONS);
    for (int i = 0; i < POSITIONS; i++) {
      values[i] = turned(values[i], rotation, Math.exp(0.3 * columnScales[i]));
      outputs[i] = turned(outputs[i], rotation, Math.exp(0.3 * rowScales[i]));
    }
    SplittableRandom random = random(seed, "anisotropic", "outliers");
    for (int i = 0; i < OUTLIERS; i++) {
      values[random.nextInt(POSITIONS)][random.nextInt(HEAD)] *= 8;
    }
    return of(arena, "anisotropic", values, outputs);
  }

  /** One position's channels, scaled along the h axis, turned, and scaled as a whole. */
  private static double[] turned(double[] channels, double[] rotation, double scale) {
    double[] turned = new double[HEAD];
    for (int j = 0; j < HEAD; j++) {
      for (int i = 0; i < HEAD; i++) {
        turned[j] += scale * rotation[j * HEAD + i] * Math.exp(-0.015 * i) * channels[i];
      }
    }
    return turned;
  }

  /** Entries of Student's t, [position][channel]. */
  private static double[][] drawn(long seed, String set, String factor, double scale) {
    double[] gaussians =
        Seeds.gaussians(random(seed, set, factor), POSITIONS * HEAD * (FREEDOM + 1));
    double[][] entries = new double[POSITIONS][HEAD];
    int at = 0;
    for (double[] row : entries) {
      for (int c = 0; c < HEAD; c++) {
        double normal = gaussians[at++];
        double squares = 0;
        for (int i = 0; i < FREEDOM; i++, at++) {
          squares += gaussians[at] * gaussians[at];
        }
        row[c] = scale * normal / Math.sqrt(squares / FREEDOM);
      }
    }
    return entries;
  }

  private static SplittableRandom random(long seed, String set, String purpose) {
    return new SplittableRandom(Seeds.of(seed, set, 0, purpose));
  }

  private static PairSet of(Arena arena, String name, double[][] values, double[][] outputs) {
    PairSet set =
        new PairSet(
            name,
            FloatMatrix.allocate(arena, POSITIONS, HEAD),
            FloatMatrix.allocate(arena, HEAD, POSITIONS),
            FloatMatrix.allocate(arena, POSITIONS, HEAD));
    for (int i = 0; i < POSITIONS; i++) {
      for (int c = 0; c < HEAD; c++) {
        set.columns.set(i, c, (float) values[i][c]);
        set.values.set(c, i, (float) values[i][c]);
        set.outputs.set(i, c, (float) outputs[i][c]);
      }
    }
    return set;
  }

  /** The values with a grid along {@code axis}. */
  FloatMatrix left(Axis axis) {
    return switch (axis) {
      case PAPER -> columns;
      case SERVING -> values;
    };
  }

  /** Where the values' grids are. */
  enum Axis {
    /** One for each input column, as the paper has it. */
    PAPER("paper's axes", Side.INPUT),
    /** One for each output channel, which standard kernels need. */
    SERVING("serving axes", Side.OUTPUT);

    private final String text;
    private final Side side;

    Axis(String text, Side side) {
      this.text = text;
      this.side = side;
    }

    String text() {
      return text;
    }

    /** Where the channels of the head are in a matrix whose rows have a grid each. */
    Side side() {
      return side;
    }
  }
}
