package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Weights that no training leaves, or that a broken one does: nothing comes out worse than plain
 * rounding at its bits.
 */
class OddWeightsTest {
  private static final int HIDDEN = 64;
  private static final List<String> MATRICES = List.of("q", "k", "v", "o");
  private static final InputStatistics ALL = new KnownInputs(input -> true);

  @TempDir Path folder;

  /** What becomes of ordinary weights. */
  enum Oddity {
    ORDINARY,
    ZEROS,
    ZERO_ROWS,
    NEAR_ZERO_ROWS,
    OUTLIERS,
    CONSTANT_ROWS,
    CONSTANT,
    SUBNORMAL,
    SMALLEST_ROWS,
    HUGE_COLUMN,
    HUGE_ROW,
    MIXED_ROWS,
    MIXED_GROUPS,
    TINY_HEAD,
    TWO_LEVELS,
    ONE_WEIGHT;

    double of(double weight, int index) {
      int row = index / HIDDEN;
      int column = index % HIDDEN;
      return switch (this) {
        case ORDINARY -> weight;
        case ZEROS -> 0;
        case ZERO_ROWS -> row % 3 == 1 ? 0 : weight;
        case NEAR_ZERO_ROWS -> row % 3 == 1 ? weight * 1e-9 : weight;
        case OUTLIERS -> index % 97 == 5 ? weight * 1e4 : weight;
        case CONSTANT_ROWS -> row % 2 == 0 ? 0.01 * row : weight;
        case CONSTANT -> 1e-7;
        case SUBNORMAL -> weight * 1e-38;
        case SMALLEST_ROWS -> row % 2 == 0 ? weight * 1e-43 : weight;
        case HUGE_COLUMN -> column == 7 ? weight * 1e6 : weight;
        case HUGE_ROW -> row == 7 ? weight * 1e20 : weight;
        case MIXED_ROWS -> weight * Math.pow(10, row % 37 - 30);
        case MIXED_GROUPS -> weight * Math.pow(10, -12 * (column / 16));
        case TINY_HEAD -> row < 16 ? weight * 1e-30 : weight;
        case TWO_LEVELS -> weight > 0 ? 0.5 : -0.5;
        case ONE_WEIGHT -> index == 33 ? 1e-6 : 0;
      };
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsWorseThanPlainRoundingAtItsBits(Oddity oddity) {
    checkStorages(oddity, oddity.ordinal() % 2 == 0 ? "16" : "channel");
  }

  @Tag("slow")
  @ParameterizedTest
  @EnumSource
  void norWithTheOtherGroups(Oddity oddity) {
    checkStorages(oddity, oddity.ordinal() % 2 == 0 ? "channel" : "16");
  }

  private void checkStorages(Oddity oddity, String group) {
    for (String storage :
        List.of("auto", "zero-point", "offset", "f16", "f16-minimum", "symmetric")) {
      check(odd(oddity, HIDDEN), Map.of("scales", storage, "group", group), InputStatistics.NONE);
    }
  }

  @ParameterizedTest
  @EnumSource
  void norWhereTheInputsAreKnown(Oddity oddity) {
    for (String bits : List.of("2", "4", "8")) {
      check(odd(oddity, HIDDEN), Map.of("bits", bits), ALL);
    }
  }

  @ParameterizedTest
  @EnumSource
  void norOfMatricesByThemselves(Oddity oddity) {
    for (String side : List.of("input", "output")) {
      Map<String, String> keys = Map.of("pairs", "false", "side", side, "block", "16");
      check(odd(oddity, HIDDEN), keys, InputStatistics.NONE);
      check(odd(oddity, HIDDEN), keys, ALL);
    }
  }

  /** Sizes of values, outputs, and of queries and keys. */
  @ParameterizedTest
  @CsvSource({"1e30, 1e30, 1e30", "1e25, 1e-30, 1e-20"})
  void sizesDoNotMatter(double values, double outputs, double others) {
    for (Map<String, String> keys :
        List.of(
            Map.<String, String>of(),
            Map.of("scales", "f16-minimum", "group", "channel"),
            Map.of("pair-reverse", "true"),
            Map.of("pairs", "false", "side", "output", "block", "16"),
            Map.of("pairs", "false", "method", "rtn"))) {
      for (Dtype dtype : List.of(Dtype.F32, Dtype.BF16)) {
        List<UnitFigures> ordinary = check(sized(1, 1, 1).with(dtype), keys, InputStatistics.NONE);
        List<UnitFigures> odd =
            check(sized(values, outputs, others).with(dtype), keys, InputStatistics.NONE);
        for (int i = 0; i < ordinary.size(); i++) {
          double usual = ordinary.get(i).result().relativeError(ordinary.get(i).squaredNorm());
          assertThat(odd.get(i).result().relativeError(odd.get(i).squaredNorm()))
              .as(keys + " " + odd.get(i))
              .isCloseTo(usual, within(0.1 * usual));
        }
      }
    }
  }

  @Tag("slow")
  @ParameterizedTest
  @CsvSource({
    "1e-9, 1e-9, 1e-9",
    "1e-30, 1e-30, 1e-30",
    "1e-9, 1e9, 1e9",
    "1, 1e-9, 1e-6",
    "1e-5, 1e-5, 1e6"
  })
  void norDoOtherSizes(double values, double outputs, double others) {
    sizesDoNotMatter(values, outputs, others);
  }

  private static TinyModel sized(double values, double outputs, double others) {
    Map<String, Double> sizes = Map.of("q", others, "k", others, "v", values, "o", outputs);
    TinyModel model =
        TinyModel.of(HIDDEN, 4, 2, 16)
            .with(TinyModel.VALUE_BIAS, index -> 0.05 * values * Math.sin(index));
    for (String name : MATRICES) {
      double size = Objects.requireNonNull(sizes.get(name));
      model = model.with(weight(name), drawn(name, (value, index) -> value * size));
    }
    return model;
  }

  /**
   * Alone, a row far smaller than its matrix would not be noticed; by itself it is as exact as the
   * others.
   */
  @ParameterizedTest
  @ValueSource(strings = {"zero-point", "offset", "f16", "f16-minimum", "symmetric"})
  void everyRowIsAsExactAsTheOthers(String storage) {
    Map<String, String> keys = Map.of("pairs", "false", "method", "rtn", "scales", storage);
    TinyModel model = odd(Oddity.MIXED_ROWS, HIDDEN);
    MadeResult made = made(model, keys, InputStatistics.NONE);
    double[] source = made.source(weight("q"));
    double[] effective = made.effective(weight("q"));
    for (int row = 0; row < source.length / HIDDEN; row++) {
      double error = 0;
      double norm = 0;
      for (int i = row * HIDDEN; i < (row + 1) * HIDDEN; i++) {
        error += Math.pow(effective[i] - source[i], 2);
        norm += source[i] * source[i];
      }
      assertThat(Math.sqrt(error / norm)).as("row " + row).isBetween(0.01, 0.2);
    }
  }

  private static TinyModel odd(Oddity oddity, int hidden) {
    TinyModel model = TinyModel.of(hidden, 4, 2, 16);
    for (String name : MATRICES) {
      model = model.with(weight(name), drawn(name, (value, index) -> oddity.of(value, index)));
    }
    return model;
  }

  private interface Change {
    double of(double weight, int index);
  }

  private static IntToDoubleFunction drawn(String name, Change change) {
    Random random = new Random(name.hashCode());
    return index -> change.of(random.nextGaussian() * 0.05, index);
  }

  private static String weight(String name) {
    return TinyModel.ATTENTION + name + "_proj.weight";
  }

  private List<UnitFigures> check(
      TinyModel model, Map<String, String> changes, InputStatistics statistics) {
    List<UnitFigures> all = figures(model, changes, statistics);
    assertThat(all).isNotEmpty();
    for (UnitFigures figures : all) {
      String place = changes + " " + figures;
      ErrorFigures plain = Objects.requireNonNull(figures.plainEqualBits());
      Double norm = figures.outputNorm();
      if (norm != null && norm > 0) {
        assertThat(figures.result().relativeOutputError(norm))
            .as(place)
            .isLessThanOrEqualTo(
                Objects.requireNonNull(plain.relativeOutputError(norm)) * (1 + 1e-6));
      } else {
        assertThat(figures.result().squaredError())
            .as(place)
            .isLessThanOrEqualTo(plain.squaredError() * (1 + 1e-6));
      }
      assertThat(figures.result().relativeError(figures.squaredNorm())).as(place).isFinite();
      for (PairFigures pair : figures.pairs()) {
        assertThat(pair.result()).as(place).isFinite();
      }
    }
    return all;
  }

  private MadeResult made(
      TinyModel model, Map<String, String> changes, InputStatistics statistics) {
    Map<String, String> keys =
        new HashMap<>(Map.of("pair-steps", "10", "steps", "5", "group", "16"));
    keys.putAll(changes);
    Path root =
        folder.resolve(
            Integer.toHexString(31 * model.hashCode() + keys.hashCode()) + statistics.hashCode());
    MadeResult made = new MadeResult(model.write(root.resolve("source")), root.resolve("result"));
    QuantizedFolder.make(made.source(), made.result(), keys, true, statistics);
    made.verify();
    return made;
  }

  private List<UnitFigures> figures(
      TinyModel model, Map<String, String> changes, InputStatistics statistics) {
    MadeResult made = made(model, changes, statistics);
    List<UnitFigures> all = new ArrayList<>();
    for (Path file : made.files()) {
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        if (reader.figures() != null) {
          all.add(reader.figures());
        }
      }
    }
    return all;
  }
}
