package io.cafeq.engine.estimate;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Miniature;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The fit finds what moments were made with. */
class CoefficientFitTest {
  private static final Offset<Double> CLOSE = Offset.offset(1e-3);

  @TempDir private Path folder;

  /** Coefficients so small that no feature is limited and no diagonal either. */
  private static Coefficients some() {
    EnumMap<InputKind, double[]> byKind = new EnumMap<>(InputKind.class);
    for (InputKind kind : InputKind.values()) {
      double[] values = new double[kind.features().size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (i % 2 == 0 ? 0.1 : -0.2) * (i + 1);
      }
      byKind.put(kind, values);
    }
    return new Coefficients("made up", byKind);
  }

  @Test
  void momentsThatFollowTheFeaturesGiveTheirCoefficients() {
    // two layers do not tell own from common ratios in one layer's norms, so several models
    Miniature.of("qwen2_moe", 5).write(folder, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ModelLayout layout = ModelLayout.of(checkpoint);
      try (DiagonalEstimates estimates =
          DiagonalEstimates.open(checkpoint, layout, tensor -> {}, new StopFlag())) {
        ModelVectors vectors = estimates.gather();
        LayerEstimates layers = estimates.layers(vectors, some());
        SortedMap<String, float[]> measured = new TreeMap<>();
        layout.layers().keySet().forEach(layer -> measured.putAll(layers.of(layer, x -> true)));
        MeasuredModel model =
            new MeasuredModel(
                "made",
                estimates,
                vectors,
                (layer, input) -> Optional.ofNullable(measured.get(input)).map(Logs::doubles));

        Coefficients fitted = CoefficientFit.fit(List.of(model), "test");

        assertThat(fitted.origin()).isEqualTo("test");
        for (InputKind kind : InputKind.values()) {
          for (String feature : kind.features()) {
            assertThat(fitted.tree().path(kind.text()).path(feature).doubleValue())
                .as("%s %s", kind, feature)
                .isCloseTo(some().tree().path(kind.text()).path(feature).doubleValue(), CLOSE);
          }
        }
        SortedMap<InputKind, CoefficientFit.Figures> figures =
            CoefficientFit.figures(model, fitted);
        figures.forEach(
            (kind, figure) -> {
              assertThat(figure.correlation()).as("%s", kind).isGreaterThan(0.999);
              assertThat(figure.loss()).as("%s", kind).isLessThan(1e-4);
            });
        assertThat(figures.keySet()).containsExactly(InputKind.values());
      }
    }
  }

  @Test
  void leastSquaresAreThoseOfAWeightedLine() {
    SplittableRandom random = new SplittableRandom(1);
    NormalEquations equations = new NormalEquations(2);
    for (int input = 0; input < 3; input++) {
      double[][] x = new double[2][40];
      double[] y = new double[40];
      double[] weights = new double[40];
      for (int i = 0; i < 40; i++) {
        x[0][i] = random.nextDouble();
        x[1][i] = random.nextDouble();
        y[i] = 3 * x[0][i] - 2 * x[1][i] + 7 * input;
        weights[i] = 0.1 + random.nextDouble();
      }
      equations.add(x, y, weights);
    }
    assertThat(equations.solve()).containsExactly(new double[] {3, -2}, Offset.offset(1e-6));
    assertThat(equations.loss(new double[] {3, -2})).isLessThan(1e-9);
    assertThat(equations.loss(new double[] {3, -1})).isGreaterThan(0.01);
  }

  @Test
  void theResourceComesBackAsItWasWritten() throws Exception {
    Coefficients builtIn = Coefficients.builtIn();
    assertThat(builtIn.origin()).contains("SmolLM2").contains("Gemma");
    assertThat(Coefficients.parse(builtIn.tree()).json()).isEqualTo(builtIn.json());
  }

  @Test
  void aMissingCoefficientIsRefused() {
    var tree = Coefficients.builtIn().tree();
    tree.withObject("/down").remove("up");
    org.assertj.core.api.Assertions.assertThatThrownBy(() -> Coefficients.parse(tree))
        .hasMessageContaining("down");
    org.assertj.core.api.Assertions.assertThatThrownBy(() -> new Coefficients("x", Map.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
