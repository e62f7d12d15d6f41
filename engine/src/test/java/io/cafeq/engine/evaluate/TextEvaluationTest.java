package io.cafeq.engine.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.forward.Judge;
import io.cafeq.engine.model.DoubleTensor;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.Shared;
import io.cafeq.engine.tokens.TextTokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against sums in double over the logits and inputs of the passes in double. */
class TextEvaluationTest {
  private static final long PLENTY = 512L << 20;

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "gemma2", "qwen3_moe"})
  void perplexityAndDivergenceAreThoseInDouble(String family) {
    Miniature miniature = write(family, 1);
    Miniature other = write(family, 2);
    List<int[]> windows = Evaluations.windows(3, 24);

    Comparison found = Evaluations.compare(path(1), path(2), windows, PLENTY);

    double[] means = new double[3];
    double[] otherMeans = new double[3];
    double divergence = 0;
    int agreed = 0;
    for (int i = 0; i < windows.size(); i++) {
      int[] inputs = Arrays.copyOf(windows.get(i), 23);
      List<double[]> own = Evaluations.logSoftmax(miniature, inputs);
      List<double[]> reference = Evaluations.logSoftmax(other, inputs);
      for (int token = 0; token < 23; token++) {
        double[] q = own.get(token);
        double[] p = reference.get(token);
        means[i] -= q[windows.get(i)[token + 1]] / 23;
        otherMeans[i] -= p[windows.get(i)[token + 1]] / 23;
        for (int entry = 0; entry < p.length; entry++) {
          divergence += Math.exp(p[entry]) * (p[entry] - q[entry]) / 69;
        }
        agreed += largest(p) == largest(q) ? 1 : 0;
      }
    }
    double mean = Arrays.stream(means).average().orElseThrow();
    double squares = Arrays.stream(means).map(each -> (each - mean) * (each - mean)).sum();
    assertThat(found.model().perplexity())
        .isCloseTo(Math.exp(mean), Percentage.withPercentage(0.01));
    assertThat(found.model().standardError().orElseThrow())
        .isCloseTo(Math.exp(mean) * Math.sqrt(squares / 2 / 3), Percentage.withPercentage(0.1));
    assertThat(found.reference().perplexity())
        .isCloseTo(
            Math.exp(Arrays.stream(otherMeans).average().orElseThrow()),
            Percentage.withPercentage(0.01));
    assertThat(found.divergence())
        .isCloseTo(divergence, Percentage.withPercentage(0.1))
        .isPositive();
    assertThat(found.topAgreement()).isCloseTo(agreed / 69.0, within(1e-9));
    assertThat(found.model().tokens()).isEqualTo(72);
    assertThat(found.model().predicted()).isEqualTo(69);
  }

  @Test
  void outputErrorsAreThoseInDouble() {
    Miniature miniature = write("llama", 1);
    Miniature reference = write("llama", 2);
    List<int[]> windows = Evaluations.windows(3, 24);
    List<int[]> inputs = windows.stream().map(window -> Arrays.copyOf(window, 23)).toList();
    Judge judge = Judge.of(reference, reference.config(), inputs);

    Comparison found = Evaluations.compare(path(1), path(2), windows, PLENTY);

    assertThat(found.outputErrors()).hasSize(2 * 8);
    for (OutputError error : found.outputErrors()) {
      if (!error.matrix().contains("+")) {
        String tensor = "model.layers." + error.layer() + "." + error.matrix() + ".weight";
        DoubleTensor own = miniature.weights().get(tensor);
        DoubleTensor other = reference.weights().get(tensor);
        double squares = 0;
        double differences = 0;
        for (double[] x : Objects.requireNonNull(judge.inputs().get(tensor))) {
          double[] expected = product(other, x);
          squares += Arrays.stream(expected).map(y -> y * y).sum();
          double[] output = product(own, x);
          for (int i = 0; i < output.length; i++) {
            differences += Math.pow(output[i] - expected[i], 2);
          }
        }
        assertThat(error.error())
            .as(tensor)
            .isCloseTo(Math.sqrt(differences / squares), Percentage.withPercentage(0.01));
      }
    }
  }

  @Test
  void valuesAndOutputsAreComparedTogether() {
    Miniature miniature = write("qwen2", 1);
    Miniature reference = write("qwen2", 2);
    List<int[]> windows = Evaluations.windows(2, 24);
    List<int[]> inputs = windows.stream().map(window -> Arrays.copyOf(window, 23)).toList();
    Judge judge = Judge.of(reference, reference.config(), inputs);

    Comparison found = Evaluations.compare(path(1), path(2), windows, PLENTY);

    double squares = 0;
    double differences = 0;
    for (double[] x :
        Objects.requireNonNull(judge.inputs().get("model.layers.1.self_attn.v_proj.weight"))) {
      double[] expected = attendToItself(reference, x);
      double[] output = attendToItself(miniature, x);
      for (int i = 0; i < output.length; i++) {
        squares += expected[i] * expected[i];
        differences += Math.pow(output[i] - expected[i], 2);
      }
    }
    OutputError error =
        found.outputErrors().stream()
            .filter(each -> each.layer() == 1 && each.matrix().equals("self_attn.v_proj+o_proj"))
            .findFirst()
            .orElseThrow();
    assertThat(error.error())
        .isCloseTo(Math.sqrt(differences / squares), Percentage.withPercentage(0.01));
  }

  @Test
  void expertsCountTogether() {
    write("mixtral", 1);
    write("mixtral", 2);
    Comparison found = Evaluations.compare(path(1), path(2), Evaluations.windows(3, 24), PLENTY);
    assertThat(
            found.outputErrors().stream()
                .filter(error -> error.layer() == 0)
                .map(OutputError::matrix))
        .contains(
            "block_sparse_moe.experts.*.w1", "block_sparse_moe.experts.*.w2", "self_attn.q_proj")
        .doesNotHaveDuplicates();
  }

  @Test
  void aModelIsNotFarFromItself() {
    write("gemma2", 1);
    Comparison found = Evaluations.compare(path(1), path(1), Evaluations.windows(2, 24), PLENTY);
    assertThat(found.divergence()).isZero();
    assertThat(found.topAgreement()).isEqualTo(1);
    assertThat(found.outputErrors())
        .isNotEmpty()
        .allSatisfy(error -> assertThat(error.error()).isZero());
    assertThat(found.model()).isEqualTo(found.reference());
  }

  @Test
  void memoryChangesNoBit() {
    write("llama", 1);
    write("llama", 2);
    List<int[]> windows = Evaluations.windows(50, 24);
    Comparison expected = Evaluations.compare(path(1), path(2), windows, PLENTY);
    assertThatThrownBy(() -> Evaluations.compare(path(1), path(2), windows, 4 << 20))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.remedy()).contains("--max-memory");
            });
    assertThat(Evaluations.compare(path(1), path(2), windows, 124 << 20)).isEqualTo(expected);
    assertThat(Evaluations.score(path(1), windows, PLENTY)).isEqualTo(expected.model());
  }

  @Test
  void modelsOfOtherShapesAreNotCompared() {
    write("llama", 1);
    Miniature.of("gemma2", 2).write(path(2), Miniature.Spread.ONE);
    assertThatThrownBy(
            () -> Evaluations.compare(path(1), path(2), Evaluations.windows(2, 24), PLENTY))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE));
  }

  @Test
  void windowsAreWholeAndDoNotOverlap() {
    int[] tokens = {0, 1, 2, 3, 4, 5, 6};
    assertThat(
            TextEvaluation.windows(tokens, 3, 5).stream()
                .map(Arrays::toString)
                .collect(Collectors.toList()))
        .containsExactly("[0, 1, 2]", "[3, 4, 5]");
    assertThat(TextEvaluation.windows(tokens, 3, 1)).hasSize(1);
    assertThat(TextEvaluation.windows(tokens, 8, 1)).isEmpty();
  }

  /** What the shared tools/perplexity.py prints for six windows of 512. */
  @ParameterizedTest
  @CsvSource({"tinystories.txt, 46.7708", "wikitext2-test-tokenised.txt, 1313.5480"})
  void thePublishedModelHasItsPerplexity(String text, double expected) {
    Path model = Shared.require("data/tinystories-656k");
    Path file = Shared.require("data/text/" + text);
    List<int[]> windows;
    try (TextTokenizer tokenizer = TextTokenizer.open(model)) {
      windows = TextEvaluation.windows(tokenizer.beginning(file, 6 * 512), 512, 6);
    }
    try (EvaluatedModel opened = EvaluatedModel.open(model)) {
      TextScore score =
          Evaluations.with(
              folder, PLENTY, resources -> new TextEvaluation(resources, windows).score(opened));
      assertThat(score.perplexity()).isCloseTo(expected, Percentage.withPercentage(0.1));
      assertThat(score.tokens()).isEqualTo(3072);
    }
  }

  private Miniature write(String family, int seed) {
    Miniature miniature = Miniature.of(family, seed);
    miniature.write(path(seed), Miniature.Spread.ONE);
    return miniature;
  }

  private Path path(int seed) {
    return folder.resolve("model" + seed);
  }

  private static double[] product(DoubleTensor matrix, double[] x) {
    double[] y = new double[matrix.rows()];
    for (int row = 0; row < y.length; row++) {
      for (int i = 0; i < x.length; i++) {
        y[row] += matrix.at(0, row, i) * x[i];
      }
    }
    return y;
  }

  /** O (V x + b), with two query heads for each head of values. */
  private static double[] attendToItself(Miniature miniature, double[] x) {
    String prefix = "model.layers.1.self_attn.";
    int heads = miniature.config().get("num_attention_heads").asInt();
    int group = heads / miniature.config().get("num_key_value_heads").asInt();
    double[] values = product(miniature.weights().get(prefix + "v_proj.weight"), x);
    double[] bias = miniature.weights().vector(prefix + "v_proj.bias");
    DoubleTensor output = miniature.weights().get(prefix + "o_proj.weight");
    int size = output.columns() / heads;
    double[] placed = new double[output.columns()];
    for (int i = 0; i < placed.length; i++) {
      int from = i / size / group * size + i % size;
      placed[i] = values[from] + bias[from];
    }
    return product(output, placed);
  }

  private static int largest(double[] values) {
    int found = 0;
    for (int i = 1; i < values.length; i++) {
      found = values[i] > values[found] ? i : found;
    }
    return found;
  }
}
