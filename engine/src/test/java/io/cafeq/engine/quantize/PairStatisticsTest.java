package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.model.DrawnStatistics;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.statistics.InputStatistics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Pairs of values and outputs whose inputs are known, from a checkpoint to a file that is proven
 * against it.
 */
class PairStatisticsTest {
  private static final InputStatistics ALL = new DrawnStatistics(1, "");

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"1, false", "3, false", "1, true"})
  void outputErrorsAreMeasuredAndLower(int blocks, String reverse) {
    Map<String, String> keys = Map.of("bits", "3", "fall-back", "false", "pair-reverse", reverse);
    TinyModel model = TinyModel.of(96, 4, 2, 24);
    UnitFigures knowing = made(model, keys, new DrawnStatistics(blocks, "")).figures();
    UnitFigures unaware = made(model, keys, InputStatistics.NONE).figures();

    double norm = Objects.requireNonNull(knowing.outputNorm());
    assertThat(norm).isPositive();
    double result = relative(knowing.result(), norm);
    assertThat(result).isBetween(0.01, 0.3);
    assertThat(result).isLessThan(0.8 * relative(knowing.plainEqualBits(), norm));
    assertThat(relative(knowing.plainClipped(), norm)).isLessThan(1);
    assertThat(relative(knowing.plain(), norm)).isGreaterThan(result);
    assertThat(unaware.outputNorm()).isNull();
    assertThat(unaware.result().outputError()).isNull();
    // The product is further off than where nothing else counts.
    assertThat(knowing.pairs().getFirst().result())
        .isGreaterThan(unaware.pairs().getFirst().result());
  }

  @ParameterizedTest
  @ValueSource(strings = {"nearest", "algorithm-1"})
  void otherRoundingsAreOnlyMeasured(String rounding) {
    Map<String, String> keys = Map.of("bits", "3", "fall-back", "false", "pair-rounding", rounding);
    TinyModel model = TinyModel.of(96, 4, 2, 24);
    MadeResult measured = made(model, keys, ALL);
    MadeResult unaware = made(model, keys, InputStatistics.NONE);

    for (String name : List.of(TinyModel.VALUES, TinyModel.OUTPUTS)) {
      assertThat(measured.effective(name)).isEqualTo(unaware.effective(name));
    }
    double plane =
        Objects.requireNonNull(
            made(model, Map.of("bits", "3", "fall-back", "false"), ALL)
                .figures()
                .result()
                .outputError());
    assertThat(Objects.requireNonNull(measured.figures().result().outputError()))
        .isGreaterThan(plane);
  }

  @ParameterizedTest
  @ValueSource(strings = {"self_attn.o_proj", "no such input"})
  void halfOfTheInputsIsNotEnough(String known) {
    Map<String, String> keys = Map.of("bits", "3", "fall-back", "false");
    TinyModel model = TinyModel.of(96, 4, 2, 24);
    MadeResult half = made(model, keys, new DrawnStatistics(1, known));
    MadeResult unaware = made(model, keys, InputStatistics.NONE);
    assertThat(half.figures().outputNorm()).isNull();
    assertThat(half.figures().result()).isEqualTo(unaware.figures().result());
    assertThat(half.effective(TinyModel.OUTPUTS)).isEqualTo(unaware.effective(TinyModel.OUTPUTS));
  }

  @Test
  void plainRoundingTakesThePlaceOfWhatHasNoSmallerOutputError() {
    // Every row has both ends and nothing between: plain rounding makes no error at all.
    TinyModel model =
        TinyModel.of(64, 4, 2, 16)
            .with(TinyModel.VALUES, index -> (index * 2_654_435_761L >>> 17) % 2 == 0 ? 0.5 : -0.5)
            .with(
                TinyModel.OUTPUTS,
                index -> (index * 2_654_435_761L >>> 16) % 2 == 0 ? 0.25 : -0.25);
    MadeResult made = made(model, Map.of("group", "channel", "scales", "f16-minimum"), ALL);
    assertThat(made.figures().fellBack()).isTrue();
    double norm = Objects.requireNonNull(made.figures().outputNorm());
    assertThat(relative(made.figures().result(), norm)).isLessThan(1e-3);
    assertThat(made.bias(Dtype.F32)).isEqualTo(made.sourceBias(Dtype.F32));
  }

  @Test
  void theSameFileEachTime() throws IOException {
    TinyModel model = TinyModel.of(64, 4, 2, 16);
    MadeResult one = made(model, Map.of("bits", "3"), ALL);
    Path again = folder.resolve("again");
    QuantizedFolder.make(one.source(), again, keys(Map.of("bits", "3")), true, ALL);
    for (Path file : one.files()) {
      assertThat(Files.mismatch(file, again.resolve("units").resolve(file.getFileName())))
          .isEqualTo(-1);
    }
  }

  private static double relative(@Nullable ErrorFigures figures, double norm) {
    return Objects.requireNonNull(Objects.requireNonNull(figures).relativeOutputError(norm));
  }

  private MadeResult made(
      TinyModel model, Map<String, String> changes, InputStatistics statistics) {
    Map<String, String> keys = keys(changes);
    Path root =
        folder.resolve(
            Integer.toHexString(model.hashCode() * 31 + keys.hashCode())
                + "-"
                + statistics.hashCode());
    MadeResult made = new MadeResult(model.write(root.resolve("source")), root.resolve("result"));
    QuantizedFolder.make(made.source(), made.result(), keys, true, statistics);
    made.verify();
    return made;
  }

  private static Map<String, String> keys(Map<String, String> changes) {
    Map<String, String> keys =
        new HashMap<>(Map.of("pair-steps", "15", "steps", "5", "group", "16"));
    keys.putAll(changes);
    return keys;
  }
}
