package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.receipt.PairFigures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pairs from a checkpoint to a file that is proven against it. */
class PairUnitTest {
  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(
      value = Dtype.class,
      names = {"F64", "F32", "F16", "BF16"})
  void biasesGoTheWayOfTheirRows(Dtype dtype) {
    MadeResult made =
        made(TinyModel.of(96, 4, 2, 24).with(dtype), Map.of("bits", "8", "fall-back", "false"));

    TensorHeader bias = made.header(TinyModel.VALUE_BIAS);
    assertThat(bias.content()).isEqualTo(new TensorHeader.Content.Folded());
    double[] source = made.sourceBias(dtype);
    double[] folded = made.bias(dtype);
    double[] outputs = made.source(TinyModel.OUTPUTS);
    double[] effective = made.effective(TinyModel.OUTPUTS);
    assertThat(distance(folded, source)).isGreaterThan(0.3);
    // What the bias adds to the layer's output, head by head, is what it added before.
    assertThat(
            distance(
                throughHeads(effective, folded, 96, 4, 2, 24),
                throughHeads(outputs, source, 96, 4, 2, 24)))
        .isLessThan(0.02);
    assertThat(distance(effective, outputs)).isGreaterThan(0.3);
  }

  @ParameterizedTest
  @CsvSource({
    // heads, key-value heads, channels: odd sizes, one head, one for all, each its own
    "3, 3, 48, 20",
    "1, 1, 32, 96",
    "6, 1, 16, 96",
    "4, 4, 7, 33",
    "4, 2, 13, 80"
  })
  void headsOfAnyShape(int heads, int keyValueHeads, int head, int hidden) {
    TinyModel model = TinyModel.of(hidden, heads, keyValueHeads, head);
    for (String group : List.of("channel", "8")) {
      MadeResult made = made(model, Map.of("group", group, "fall-back", "false"));
      PairFigures pair = made.pair();
      assertThat(pair.weights()).isEqualTo((long) head * hidden * (heads + keyValueHeads));
      assertThat(pair.result()).isBetween(0.001, 0.3);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "expected-error, adam, nearest-plane",
    "log-sum-exp, adam, nearest",
    "sum-of-squares, cayley, algorithm-1",
    "weighted-sum-of-squares, adam, algorithm-1",
    "log-sum-exp, cayley, nearest-plane"
  })
  void everyLossAndRounding(String loss, String optimizer, String rounding) {
    MadeResult made =
        made(
            TinyModel.of(64, 4, 2, 16),
            Map.of(
                "pair-loss",
                loss,
                "pair-optimizer",
                optimizer,
                "pair-rounding",
                rounding,
                "fall-back",
                "false",
                "group",
                "channel"));
    assertThat(made.pair().result()).isBetween(0.01, 0.3);
    assertThat(made.pair().result())
        .isLessThanOrEqualTo(Objects.requireNonNull(made.pair().learned()) * (1 + 1e-9));
  }

  @Test
  void theRelativeErrorsOfAllStagesAreReported() {
    PairFigures pair =
        made(
                TinyModel.of(96, 4, 2, 24).with(TinyModel.VALUES, loud()),
                Map.of("pair-steps", "60", "group", "channel"))
            .pair();
    assertThat(pair.plain()).isNotNull();
    assertThat(pair.plainEqualBits()).isNotNull();
    assertThat(pair.rotation()).isNotNull();
    assertThat(Objects.requireNonNull(pair.learned()))
        .isLessThan(Objects.requireNonNull(pair.plainClipped()));
    assertThat(pair.result()).isLessThan(Objects.requireNonNull(pair.learned()));
  }

  @Test
  void aTransformThatIsUndoneLeavesTheSourcesOwnWeights() {
    TinyModel model = TinyModel.of(96, 4, 2, 24);
    MadeResult folded = made(model, Map.of("fall-back", "false"));
    MadeResult reversed = made(model, Map.of("fall-back", "false", "pair-reverse", "true"));

    for (String name : List.of(TinyModel.VALUES, TinyModel.OUTPUTS)) {
      assertThat(distance(folded.effective(name), folded.source(name))).isGreaterThan(0.3);
      assertThat(distance(reversed.effective(name), reversed.source(name))).isLessThan(0.2);
    }
    assertThat(reversed.header(TinyModel.VALUE_BIAS).content())
        .isEqualTo(new TensorHeader.Content.Kept());
    // int8: 24 columns of 24 bytes and a scale each, for two left heads and the four right heads
    // that meet them.
    assertThat(reversed.figures().result().bits() - folded.figures().result().bits())
        .isEqualTo((2 + 4) * (8 * 24 * 24 + 16 * 24));
    assertThat(reversed.pair().result()).isBetween(0.01, 0.3);
  }

  @ParameterizedTest
  @ValueSource(strings = {"false", "true"})
  void aPairThatPlainRoundingBeatsFallsBack(String reverse) {
    // Every row has both ends and nothing between: plain rounding makes no error at all.
    TinyModel model =
        TinyModel.of(64, 4, 2, 16)
            .with(TinyModel.VALUES, index -> coin(index) ? 0.5 : -0.5)
            .with(TinyModel.OUTPUTS, index -> coin(index + 99_991) ? 0.25 : -0.25);
    MadeResult made =
        made(model, Map.of("group", "channel", "pair-reverse", reverse, "scales", "f16-minimum"));
    assertThat(made.figures().fellBack()).as(made.pair().toString()).isTrue();
    assertThat(made.pair().result()).isLessThan(1e-3).isEqualTo(made.pair().plainEqualBits());
    assertThat(made.bias(Dtype.F32)).isEqualTo(made.sourceBias(Dtype.F32));
    assertThat(distance(made.effective(TinyModel.VALUES), made.source(TinyModel.VALUES)))
        .isLessThan(1e-3);
    assertThat(made.header(TinyModel.VALUES).sections())
        .allSatisfy(
            section -> {
              assertThat(section.coding().transform()).isNull();
              assertThat(section.coding().coupled()).isTrue();
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {TinyModel.VALUES, TinyModel.OUTPUTS})
  void aFactorOfZeros(String zeros) {
    MadeResult made =
        made(TinyModel.of(64, 4, 2, 16).with(zeros, index -> 0), Map.of("fall-back", "false"));
    assertThat(made.pair().result()).isZero();
    assertThat(made.effective(zeros)).containsOnly(0);
  }

  @Test
  void aHeadOfZerosAmongOthers() {
    TinyModel model =
        TinyModel.of(64, 4, 2, 16)
            .with(TinyModel.VALUES, index -> index < 16 * 64 ? 0 : Math.sin(index * 0.37) * 0.1);
    assertThat(made(model, Map.of("fall-back", "false")).pair().result()).isBetween(0.001, 0.3);
  }

  @ParameterizedTest
  @ValueSource(strings = {TinyModel.VALUES, TinyModel.OUTPUTS, TinyModel.VALUE_BIAS})
  void whatIsNoNumberNamesItsTensor(String broken) {
    Path source =
        TinyModel.of(64, 4, 2, 16)
            .with(broken, index -> index == 9 ? Double.NaN : 0.01 * (index % 13))
            .write(folder.resolve("source"));
    assertThatThrownBy(() -> QuantizedFolder.make(source, folder.resolve("result"), keys(Map.of())))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining(broken);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "phi3",
        "gpt_neox",
        "gpt2",
        "deepseek_v3_dense",
        "deepseek_v3",
        "llama4",
        "bert",
        "mixtral"
      })
  void familiesWithTheirOwnLayouts(String family) throws IOException {
    Path source = folder.resolve("source");
    Miniature.of(family, 3).write(source, Miniature.Spread.APART);
    QuantizedFolder.make(
        source, folder.resolve("again"), keys(Map.of("group", "16", "block", "16")));
    for (String reverse : List.of("false", "true")) {
      MadeResult made = new MadeResult(source, folder.resolve("result-" + reverse));
      QuantizedFolder.make(
          source,
          made.result(),
          keys(Map.of("group", "16", "block", "16", "pair-reverse", reverse)));
      made.verify();
      if (reverse.equals("false")) {
        assertThat(units(folder.resolve("again"))).isEqualTo(units(made.result()));
      }
      assertThat(made.couplings()).isNotEmpty();
      if (family.equals("llama4") || family.startsWith("deepseek")) {
        assertThat(made.couplings()).extracting(Coupling::kind).contains(Coupling.Kind.QUERY_KEY);
      }
    }
  }

  private static Map<String, String> units(Path result) throws IOException {
    Map<String, String> units = new HashMap<>();
    try (Stream<Path> files = Files.list(result.resolve("units"))) {
      for (Path file : files.toList()) {
        units.put(
            file.getFileName().toString(),
            io.cafeq.engine.checkpoint.Digests.file(file, new StopFlag()));
      }
    }
    return units;
  }

  private static boolean coin(int index) {
    return (index * 2_654_435_761L >>> 17 & 1) == 0;
  }

  /** A few input channels that are several times larger than the others. */
  private static java.util.function.IntToDoubleFunction loud() {
    java.util.Random random = new java.util.Random(4);
    return index -> random.nextGaussian() * (index % 96 % 31 == 7 ? 0.5 : 0.05);
  }

  private static Map<String, String> keys(Map<String, String> changes) {
    Map<String, String> keys =
        new HashMap<>(Map.of("pair-steps", "15", "steps", "5", "group", "16"));
    keys.putAll(changes);
    return keys;
  }

  private MadeResult made(TinyModel model, Map<String, String> changes) {
    Path root = folder.resolve(Integer.toHexString(model.hashCode() * 31 + changes.hashCode()));
    MadeResult made = new MadeResult(model.write(root.resolve("source")), root.resolve("result"));
    QuantizedFolder.make(made.source(), made.result(), keys(changes), true);
    made.verify();
    return made;
  }

  /** What a bias of the values adds to each output through each query head: [out, heads]. */
  private static double[] throughHeads(
      double[] outputs, double[] bias, int rows, int heads, int keyValueHeads, int head) {
    double[] added = new double[rows * heads];
    for (int row = 0; row < rows; row++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < head; i++) {
          added[row * heads + h] +=
              outputs[(row * heads + h) * head + i] * bias[h * keyValueHeads / heads * head + i];
        }
      }
    }
    return added;
  }

  /** Relative distance of two vectors. */
  private static double distance(double[] found, double[] expected) {
    double error = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (found[i] - expected[i]) * (found[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(error / norm);
  }
}
