package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class ForwardPassTest {
  private static final Set<String> ENCODERS = Set.of("bert", "roberta", "distilbert");
  private static final int[] TOKENS = {
    3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 40
  };

  /** Twenty tokens, so that windows and chunks of sixteen end somewhere. */
  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void onlyEncodersLookAhead(String name) {
    ForwardPass pass = ForwardPass.of(Miniature.of(name, 1).model());
    double[][] all = pass.run(TOKENS).hidden();
    double[][] first = pass.run(Arrays.copyOf(TOKENS, 12)).hidden();
    assertThat(Arrays.stream(all).flatMapToDouble(Arrays::stream)).allMatch(Double::isFinite);
    double distance = Trace.distance(Arrays.copyOf(all, 12), first);
    if (ENCODERS.contains(name)) {
      assertThat(distance).isGreaterThan(1e-3);
    } else {
      assertThat(distance).isZero();
    }
  }
}
