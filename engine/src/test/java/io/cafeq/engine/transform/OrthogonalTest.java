package io.cafeq.engine.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OrthogonalTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 8, 33, 128})
  void rotationsAreOrthogonal(int k) {
    double[] q = Orthogonal.rotation(k, k);
    double[] product = SquareMatrices.multiply(SquareMatrices.transpose(q, k), q, k);
    for (int i = 0; i < product.length; i++) {
      assertThat(product[i]).isCloseTo(i % (k + 1) == 0 ? 1 : 0, within(1e-12));
    }
  }
}
