package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitRow;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Column scales of units: what they gain, and when they are given up. */
class ColumnScalesUnitTest {
  private static final InputStatistics ALL = new KnownInputs(input -> true);
  private static final String QUERIES = TinyModel.ATTENTION + "q_proj.weight";
  private static final Map<String, String> COMMON =
      Map.of("pairs", "false", "bits", "4", "group", "32", "method", "rtn");

  @TempDir Path folder;

  private MadeResult make(
      TinyModel model, String name, Map<String, String> changes, InputStatistics statistics) {
    Map<String, String> keys = new HashMap<>(COMMON);
    keys.putAll(changes);
    MadeResult made =
        new MadeResult(model.write(folder.resolve("source-" + name)), folder.resolve(name));
    QuantizedFolder.make(made.source(), made.result(), keys, false, statistics);
    made.verify();
    return made;
  }

  /** Columns that differ by some octaves, as those of trained models do. */
  private static TinyModel uneven() {
    SplittableRandom random = new SplittableRandom(8);
    double[] columns = random.doubles(96).map(x -> Math.pow(2, 4 * x)).toArray();
    return TinyModel.of(96, 4, 2, 32)
        .with(QUERIES, index -> random.nextGaussian() * columns[index % 96]);
  }

  private record Seen(double outputError, long bits, long scales) {}

  private static Seen queries(MadeResult made) {
    double error = 0;
    long bits = 0;
    long scales = 0;
    for (Path file : made.files()) {
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        UnitFigures figures = reader.figures();
        if (figures != null && reader.header().names().contains(QUERIES)) {
          error += Objects.requireNonNullElse(figures.result().outputError(), -1.0);
          bits += figures.result().bits();
          long[] found = {0};
          reader.forEach(row -> found[0] += row instanceof UnitRow.Scales ? 1 : 0);
          scales += found[0];
        }
      }
    }
    return new Seen(error, bits, scales);
  }

  @ParameterizedTest
  @ValueSource(strings = {"rtn", "input", "output"})
  void unevenColumnsGain(String kind) {
    Map<String, String> keys =
        kind.equals("rtn")
            ? Map.of()
            : Map.of(
                "method",
                "cafeq",
                "side",
                kind,
                "block",
                "16",
                "steps",
                "20",
                "transform-bits",
                "4",
                "fall-back",
                "false");
    Map<String, String> without = new HashMap<>(keys);
    without.put("column-scales", "false");
    Seen scaled = queries(make(uneven(), "scaled", keys, ALL));
    Seen plain = queries(make(uneven(), "plain", without, ALL));
    assertThat(scaled.scales()).isEqualTo(1);
    try (ResultReader reader = ResultReader.open(folder.resolve("scaled"))) {
      assertThat(reader.columnScales(QUERIES, 0).orElseThrow().channels()).isEqualTo(96);
    }
    try (ResultReader reader = ResultReader.open(folder.resolve("plain"))) {
      assertThat(reader.columnScales(QUERIES, 0)).isEmpty();
    }
    assertThat(plain.scales()).isZero();
    assertThat(scaled.bits()).isEqualTo(plain.bits() + 8 * 96);
    assertThat(scaled.outputError())
        .isLessThan((kind.equals("rtn") ? 0.9 : 1) * plain.outputError());
  }

  /** Weights that lie on plain levels lose by any scale. */
  @Test
  void scalesThatDoNotHelpAreGivenUp() {
    int[] levels = new SplittableRandom(2).ints(1 << 16, -7, 9).toArray();
    TinyModel onLevels = TinyModel.of(96, 4, 2, 32).with(QUERIES, index -> levels[index] / 64.0);
    Seen seen = queries(make(onLevels, "given-up", Map.of(), ALL));
    Seen plain = queries(make(onLevels, "never", Map.of("column-scales", "false"), ALL));
    assertThat(seen.scales()).isZero();
    assertThat(seen).isEqualTo(plain);
  }

  @Test
  void unknownInputsHaveNone() {
    InputStatistics nothing = InputStatistics.NONE;
    Seen seen = queries(make(uneven(), "unknown", Map.of(), nothing));
    Seen plain = queries(make(uneven(), "none", Map.of("column-scales", "false"), nothing));
    assertThat(seen.scales()).isZero();
    assertThat(seen).isEqualTo(plain);
  }
}
