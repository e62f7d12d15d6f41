package io.cafeq.engine.compute.scalar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.Golden;
import io.cafeq.engine.grid.EquationOne;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.Packing;
import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference backend against the golden cases: codes exactly, losses to 1e-9. */
class ScalarGoldenTest {
  private final Arena arena = Arena.ofConfined();
  private final Golden golden = Golden.open();

  @AfterEach
  void close() {
    golden.close();
    arena.close();
  }

  @ParameterizedTest
  @CsvSource({"0, 8", "0, 64", "32, 8", "32, 64"})
  void lossAndGradientOfRows(int group, int p) {
    LearnProblem problem =
        new LearnProblem.Rows(golden.matrix(arena, "block.w"), group, false, false, false);
    try (Objective objective =
        new ScalarObjective(problem, new DenseWeights(rows(golden.doubles("block.w"), 16, 96)))) {
      Objective.Evaluation evaluation = objective.smooth(List.of(golden.doubles("block.m")), p);
      String name = "block.group" + group + ".p" + p;
      double expected = golden.doubles(name + ".loss")[0];
      assertThat(evaluation.loss()).isCloseTo(expected, within(1e-9 * expected));
      assertClose(evaluation.gradients().getFirst(), golden.doubles(name + ".gradient"), 1e-9);
      double hard = golden.doubles("block.group" + group + ".hard.loss")[0];
      assertThat(evaluation.hardLoss()).isCloseTo(hard, within(1e-9 * hard));
      assertThat(objective.hard(List.of(golden.doubles("block.m"))))
          .isCloseTo(hard, within(1e-9 * hard));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 32})
  void subgradientOfTrueRanges(int group) {
    LearnProblem problem =
        new LearnProblem.Rows(golden.matrix(arena, "block.w"), group, false, false, false);
    try (Objective objective =
        new ScalarObjective(problem, new DenseWeights(rows(golden.doubles("block.w"), 16, 96)))) {
      Objective.Evaluation evaluation = objective.subgradient(List.of(golden.doubles("block.m")));
      double expected = golden.doubles("block.group" + group + ".hard.loss")[0];
      assertThat(evaluation.loss()).isCloseTo(expected, within(1e-9 * expected));
      assertThat(evaluation.hardLoss()).isCloseTo(expected, within(1e-9 * expected));
      assertClose(
          evaluation.gradients().getFirst(),
          golden.doubles("block.group" + group + ".hard.gradient"),
          1e-9);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 64})
  void lossAndGradientOfStripes(int p) {
    double[] w = golden.doubles("input.w");
    double[] m = golden.doubles("input.m");
    double[] transposed = new double[48 * 32];
    List<double[][]> weights = new ArrayList<>();
    List<double[]> blocks = new ArrayList<>();
    for (int b = 0; b < 2; b++) {
      weights.add(rows(Arrays.copyOfRange(w, b * 16 * 48, (b + 1) * 16 * 48), 16, 48));
      blocks.add(Arrays.copyOfRange(m, b * 256, (b + 1) * 256));
    }
    LearnProblem problem =
        new LearnProblem.Stripe(
            Golden.matrix(arena, transposed, 48, 32), List.of(16, 16), 32, true);
    try (Objective objective = new ScalarObjective(problem, DenseWeights.of(weights))) {
      Objective.Evaluation evaluation = objective.smooth(blocks, p);
      double expected = golden.doubles("input.p" + p + ".loss")[0];
      assertThat(evaluation.loss()).isCloseTo(expected, within(1e-9 * expected));
      double[] gradients = golden.doubles("input.p" + p + ".gradient");
      for (int b = 0; b < 2; b++) {
        assertClose(
            evaluation.gradients().get(b),
            Arrays.copyOfRange(gradients, b * 256, (b + 1) * 256),
            1e-9);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4})
  void compactGrids(int bits) {
    GridSpec grid = new GridSpec(bits, 32, ScaleStorage.ZERO_POINT, 8, true);
    ScalarGrid[][] grids = choose(grid);
    double[] codes = golden.doubles("compact" + bits + ".scale_code");
    double[] zeros = golden.doubles("compact" + bits + ".zero");
    double[] steps = golden.doubles("compact" + bits + ".step");
    double[] rowScales = golden.doubles("compact" + bits + ".row_scale");
    for (int row = 0; row < 16; row++) {
      for (int g = 0; g < 3; g++) {
        ScalarGrid chosen = grids[row][g];
        assertThat((double) chosen.scaleCode()).isEqualTo(codes[row * 3 + g]);
        assertThat(chosen.zero()).isEqualTo(zeros[row * 3 + g]);
        assertThat(chosen.step()).isCloseTo(steps[row * 3 + g], within(1e-15));
        assertThat((double) Float.float16ToFloat(chosen.ownScales().getFirst()))
            .isEqualTo(rowScales[row]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4})
  void symmetricGrids(int bits) {
    ScalarGrid[][] grids = choose(new GridSpec(bits, 32, ScaleStorage.SYMMETRIC, 8, true));
    double[] codes = golden.doubles("symmetric" + bits + ".scale_code");
    double[] rowScales = golden.doubles("symmetric" + bits + ".row_scale");
    for (int row = 0; row < 16; row++) {
      for (int g = 0; g < 3; g++) {
        assertThat((double) grids[row][g].scaleCode()).isEqualTo(codes[row * 3 + g]);
        assertThat((double) Float.float16ToFloat(grids[row][g].ownScales().getFirst()))
            .isEqualTo(rowScales[row]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 8})
  void gridsOfEquationOneCodesAndPacking(int bits) {
    double[][] v = transformed();
    double[] minimums = golden.doubles("grid" + bits + ".minimum");
    double[] steps = golden.doubles("grid" + bits + ".step");
    double[] codes = golden.doubles("grid" + bits + ".codes");
    double[] packed = golden.doubles("grid" + bits + ".packed");
    double[] clippedMinimums = golden.doubles("grid" + bits + ".clipped_minimum");
    double[] clippedSteps = golden.doubles("grid" + bits + ".clipped_step");
    for (int row = 0; row < 16; row++) {
      EquationOne grid = EquationOne.of(v[row], 0, 96, bits, 1);
      assertThat(grid.minimum()).isCloseTo(minimums[row], within(1e-14));
      assertThat(grid.step()).isCloseTo(steps[row], within(1e-14));
      byte[] rowCodes = new byte[96];
      for (int c = 0; c < 96; c++) {
        rowCodes[c] = (byte) grid.code(v[row][c]);
        assertThat(rowCodes[c] & 0xFF).isEqualTo((int) codes[row * 96 + c]);
      }
      MemorySegment out = arena.allocate(Packing.bytes(96, bits));
      Packing.pack(rowCodes, 0, 96, bits, out, 0);
      for (int i = 0; i < out.byteSize(); i++) {
        assertThat(out.get(ValueLayout.JAVA_BYTE, i) & 0xFF)
            .isEqualTo((int) packed[row * (int) out.byteSize() + i]);
      }
      EquationOne clipped = EquationOne.clipped(v[row], 0, 96, bits);
      assertThat(clipped.minimum()).isCloseTo(clippedMinimums[row], within(1e-12));
      assertThat(clipped.step()).isCloseTo(clippedSteps[row], within(1e-12));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 8})
  void nearestPlane(int bits) {
    double[][] v = transformed();
    ScalarGrid[][] grids = new ScalarGrid[16][];
    for (int row = 0; row < 16; row++) {
      EquationOne exact = EquationOne.of(v[row], 0, 96, bits, 1);
      grids[row] =
          new ScalarGrid[] {
            new ScalarGrid(
                exact.step(), -exact.minimum() / exact.step(), exact.top(), 0, List.of(), 0, 0)
          };
    }
    DoubleMatrix values = DoubleMatrix.allocate(arena, 16, 96);
    for (int row = 0; row < 16; row++) {
      values.write(row, 0, v[row], 96);
    }
    double[] triangle =
        SquareMatrices.upperTriangular(SquareMatrices.invert(golden.doubles("block.m"), 16), 16);
    MemorySegment codes = arena.allocate(16 * 96);
    new ScalarSlab(values, codes, grids, new GridSpec(bits, 0, ScaleStorage.F16_MINIMUM, 8, false))
        .round(Side.OUTPUT, triangle, 16, 0, new RoundingRule.NearestPlane());
    double[] expected = golden.doubles("grid" + bits + ".nearest_plane");
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) (codes.get(ValueLayout.JAVA_BYTE, i) & 0xFF))
          .as("entry " + i)
          .isEqualTo(expected[i]);
    }
  }

  @Test
  void theMatrixOfAGoldenBlockInverts() {
    double[] m = golden.doubles("block.m");
    double[] product = SquareMatrices.multiply(m, SquareMatrices.invert(m, 16), 16);
    assertClose(product, SquareMatrices.identity(16), 1e-12);
  }

  private ScalarGrid[][] choose(GridSpec grid) {
    double[][] w = rows(golden.doubles("block.w"), 16, 96);
    return Arrays.stream(w).map(row -> ScalarGrid.choose(row, grid)).toArray(ScalarGrid[][]::new);
  }

  /** V = M W of the golden block. */
  private double[][] transformed() {
    double[] m = golden.doubles("block.m");
    double[][] w = rows(golden.doubles("block.w"), 16, 96);
    double[][] v = new double[16][96];
    for (int j = 0; j < 16; j++) {
      for (int i = 0; i < 16; i++) {
        for (int c = 0; c < 96; c++) {
          v[j][c] += m[j * 16 + i] * w[i][c];
        }
      }
    }
    return v;
  }

  private static double[][] rows(double[] values, int rows, int columns) {
    double[][] all = new double[rows][];
    for (int row = 0; row < rows; row++) {
      all[row] = Arrays.copyOfRange(values, row * columns, (row + 1) * columns);
    }
    return all;
  }

  private static void assertClose(double[] actual, double[] expected, double tolerance) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(tolerance * largest));
    }
  }
}
