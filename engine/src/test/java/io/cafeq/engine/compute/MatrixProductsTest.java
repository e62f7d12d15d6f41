package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixView;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Products on rectangles of larger matrices: every backend that works here against the scalar
 * reference.
 */
@Numerics
class MatrixProductsTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest
  @CsvSource({"false,false,0", "true,false,0", "false,true,1", "true,true,0.5"})
  void rectangles(boolean transposeA, boolean transposeB, float keep) {
    WorkingBackends.withoutReference()
        .forEach(
            backend -> {
              FloatMatrix a = matrix(40, 50, 1);
              FloatMatrix b = matrix(60, 45, 2);
              MatrixView left =
                  transposeA ? new MatrixView(a, 3, 7, 12, 20) : new MatrixView(a, 3, 7, 20, 12);
              MatrixView right =
                  transposeB ? new MatrixView(b, 11, 5, 17, 12) : new MatrixView(b, 11, 5, 12, 17);
              FloatMatrix one = matrix(30, 33, 3);
              FloatMatrix other = matrix(30, 33, 3);
              try (ComputeLane lane = Backends.open(backend).openLane();
                  ComputeLane reference = Backends.open("scalar").openLane()) {
                lane.products()
                    .multiply(
                        -2,
                        left,
                        transposeA,
                        right,
                        transposeB,
                        keep,
                        new MatrixView(one, 4, 9, 20, 17));
                reference
                    .products()
                    .multiply(
                        -2,
                        left,
                        transposeA,
                        right,
                        transposeB,
                        keep,
                        new MatrixView(other, 4, 9, 20, 17));
              }
              FloatMatrix before = matrix(30, 33, 3);
              for (int i = 0; i < 30; i++) {
                for (int j = 0; j < 33; j++) {
                  assertThat(one.get(i, j)).isCloseTo(other.get(i, j), within(1e-4f));
                  boolean inside = i >= 4 && i < 24 && j >= 9 && j < 26;
                  assertThat(one.get(i, j) == before.get(i, j)).isEqualTo(!inside);
                }
              }
            });
  }

  @Test
  void whatIsNotKeptHasNoMeaning() {
    WorkingBackends.withoutReference()
        .forEach(
            backend -> {
              FloatMatrix result = FloatMatrix.allocate(arena, 5, 6);
              result.set(2, 3, Float.NaN);
              FloatMatrix a = matrix(5, 4, 4);
              FloatMatrix b = matrix(6, 4, 5);
              try (ComputeLane lane = Backends.open(backend).openLane()) {
                lane.products().timesTransposed(a, b, result);
                float sum = 0;
                for (int l = 0; l < 4; l++) {
                  sum += a.get(2, l) * b.get(3, l);
                }
                assertThat(result.get(2, 3)).isCloseTo(sum, within(1e-5f));
                assertThatThrownBy(
                        () -> lane.products().timesTransposed(a, matrix(6, 5, 5), result))
                    .isInstanceOf(IllegalArgumentException.class);
              }
            });
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void squaresOfRowsInDoubles(String backend) {
    DoubleMatrix one = doubles(300);
    DoubleMatrix other = doubles(300);
    try (ComputeLane lane = Backends.open(backend).openLane();
        ComputeLane reference = Backends.open("scalar").openLane()) {
      lane.products().subtractSquare(one, 20, 64, 100, 70, 100);
      reference.products().subtractSquare(other, 20, 64, 100, 70, 100);
    }
    DoubleMatrix before = doubles(300);
    for (int i = 0; i < 300; i++) {
      for (int j = 0; j < 300; j++) {
        assertThat(one.get(i, j)).isCloseTo(other.get(i, j), within(1e-12));
        assertThat(one.get(i, j) == before.get(i, j)).isEqualTo(i < 100 || i >= 170 || j < 100);
      }
    }
  }

  private FloatMatrix matrix(int rows, int columns, long seed) {
    return Golden.matrix(
        arena, Seeds.gaussians(new SplittableRandom(seed), rows * columns), rows, columns);
  }

  private DoubleMatrix doubles(int n) {
    double[] values = Seeds.gaussians(new SplittableRandom(9), n * n);
    DoubleMatrix matrix = DoubleMatrix.allocate(arena, n, n);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        matrix.set(i, j, values[i * n + j]);
      }
    }
    return matrix;
  }
}
