package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.StopFlag;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What codes and online transforms compute is what the dense export of the same result computes.
 */
class FoldBackTest {
  private static final int[] TOKENS = {
    3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 40
  };

  /** Packed sources are exported as bfloat16, whatever else the checkpoint holds. */
  private static final Set<String> PACKED = Set.of("deepseek_v3", "gpt_oss");

  @TempDir Path folder;

  static Stream<Arguments> families() {
    return Miniature.NAMES.stream()
        .flatMap(
            name ->
                Stream.of(
                    Arguments.of(name, "output", "false"), Arguments.of(name, "input", "true")));
  }

  @Test
  void anotherResultsExportIsTakenForWhatItIs() {
    Path source = folder.resolve("source");
    Miniature.inFloat32("llama", 5).write(source, Miniature.Spread.ONE);
    for (String bits : List.of("3", "4")) {
      QuantizedFolder.make(
          source,
          folder.resolve(bits),
          Map.of("bits", bits, "group", "16", "method", "rtn", "pairs", "false"));
    }
    Path export = folder.resolve("export");
    Exports.run(
        new ExportRequest(folder.resolve("4"), "dense", export, Map.of()),
        new StopFlag(),
        ExportProgress.NONE);
    assertThat(FoldBack.compare(folder.resolve("4"), export, TOKENS).distance()).isLessThan(1e-5);
    assertThat(FoldBack.compare(folder.resolve("3"), export, TOKENS).distance())
        .isGreaterThan(0.01);
    assertThat(FoldBack.compare(folder.resolve("4"), source, TOKENS).distance())
        .isGreaterThan(0.01);
  }

  @ParameterizedTest
  @MethodSource("families")
  void theExportComputesWhatTheCodesCompute(String name, String side, String pairs) {
    Path source = folder.resolve("source");
    Path result = folder.resolve("result");
    Path export = folder.resolve("export");
    Miniature.inFloat32(name, 5).write(source, Miniature.Spread.APART);
    QuantizedFolder.make(
        source,
        result,
        Map.of(
            "group",
            "16",
            "block",
            "16",
            "side",
            side,
            "steps",
            "10",
            "fall-back",
            "false",
            "baselines",
            "off",
            "pairs",
            pairs,
            "pair-steps",
            "10"));
    Exports.run(
        new ExportRequest(result, "dense", export, Map.of()), new StopFlag(), ExportProgress.NONE);
    FoldBack compared = FoldBack.compare(result, export, TOKENS);
    assertThat(compared.kept()).isEmpty();
    assertThat(compared.transformed()).isPositive();
    if (pairs.equals("true")) {
      assertThat(compared.coupled())
          .as("values and outputs of two layers")
          .isGreaterThanOrEqualTo(4);
    } else {
      assertThat(compared.coupled()).isZero();
    }
    assertThat(compared.distance()).isLessThan(PACKED.contains(name) ? 0.03 : 1e-5);
  }

  /** A bias or a head that went another way than its matrix would change the outputs altogether. */
  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void manyBitsWithPairsHardlyChangeTheModel(String name) {
    Path source = folder.resolve("source");
    Path result = folder.resolve("result");
    Path export = folder.resolve("export");
    Miniature miniature = Miniature.inFloat32(name, 5);
    miniature.write(source, Miniature.Spread.APART);
    QuantizedFolder.make(
        source,
        result,
        Map.of(
            "bits",
            "8",
            "group",
            "16",
            "block",
            "16",
            "steps",
            "10",
            "fall-back",
            "false",
            "baselines",
            "off",
            "pairs",
            "true",
            "pair-steps",
            "10"));
    Exports.run(
        new ExportRequest(result, "dense", export, Map.of()), new StopFlag(), ExportProgress.NONE);
    assertThat(FoldBack.compare(result, export, TOKENS).coupled()).isGreaterThanOrEqualTo(4);
    Trace found =
        ForwardPass.of(Model.of(miniature.config(), StoredTensors.read(export))).run(TOKENS);
    Trace expected = ForwardPass.of(miniature.model()).run(TOKENS);
    // A router may choose another expert for a token or two: that is no matter of pairs, so most
    // tokens decide.
    for (int layer = 0; layer < expected.attention().size(); layer++) {
      assertThat(usual(found.attention().get(layer), expected.attention().get(layer)))
          .isLessThan(0.05);
    }
    assertThat(Trace.distance(found.attention().getFirst(), expected.attention().getFirst()))
        .isLessThan(0.05);
    assertThat(usual(found.hidden(), expected.hidden())).isLessThan(0.05).isGreaterThan(1e-4);
  }

  /** The median of the tokens' distances. */
  private static double usual(double[][] found, double[][] expected) {
    return IntStream.range(0, expected.length)
        .mapToDouble(
            token ->
                Trace.distance(new double[][] {found[token]}, new double[][] {expected[token]}))
        .sorted()
        .skip(expected.length / 2)
        .findFirst()
        .orElseThrow();
  }
}
