package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitRow;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.receipt.UnitFigures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * Column scales on the miniature of every family: no unit has more output error with them than
 * without, and an export computes what codes, transforms and scales compute.
 */
class ColumnScalesFamiliesTest {
  private static final int[] TOKENS = {3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43};

  @TempDir Path folder;

  /** By unit: summed output error, and whether it has column scales. */
  private record Seen(Map<String, Double> errors, int scaled) {}

  private Seen make(String name, String method, boolean scales) {
    Path source = folder.resolve("source");
    Path result = folder.resolve(method + scales);
    QuantizedFolder.make(
        source,
        result,
        Map.of(
            "method",
            method,
            "bits",
            "4",
            "group",
            "16",
            "block",
            "16",
            "steps",
            "5",
            "pairs",
            "false",
            "column-scales",
            Boolean.toString(scales)),
        false,
        new DrawnStatistics(1, ""));
    Map<String, Double> errors = new HashMap<>();
    int[] scaled = {0};
    try (DirectoryStream<Path> files = Files.newDirectoryStream(result.resolve("units"))) {
      for (Path file : files) {
        try (UnitFileReader reader = UnitFileReader.open(file)) {
          UnitFigures figures = reader.figures();
          if (figures != null && figures.result().outputError() != null) {
            errors.put(
                reader.header().id(), Objects.requireNonNull(figures.result().outputError()));
          }
          reader.forEach(row -> scaled[0] += row instanceof UnitRow.Scales ? 1 : 0);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    assertThat(errors).as(name).isNotEmpty();
    return new Seen(errors, scaled[0]);
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void noUnitHasMoreOutputErrorAndTheExportIsTheSame(String name) {
    Miniature.inFloat32(name, 5).write(folder.resolve("source"), Miniature.Spread.APART);
    Seen with = make(name, "rtn", true);
    Seen without = make(name, "rtn", false);
    assertThat(with.errors().keySet()).isEqualTo(without.errors().keySet());
    with.errors()
        .forEach(
            (unit, error) ->
                assertThat(error)
                    .as(unit)
                    .isLessThanOrEqualTo(without.errors().getOrDefault(unit, 0.0) * (1 + 1e-6)));
    assertThat(with.scaled()).isPositive();
    assertThat(without.scaled()).isZero();
    double scaled = with.errors().values().stream().mapToDouble(error -> error).sum();
    double plain = without.errors().values().stream().mapToDouble(error -> error).sum();
    assertThat(scaled).isLessThan(plain);

    Path export = folder.resolve("export");
    Exports.run(
        new ExportRequest(folder.resolve("rtntrue"), "dense", export, Map.of()),
        new StopFlag(),
        ExportProgress.NONE);
    assertThat(FoldBack.compare(folder.resolve("rtntrue"), export, TOKENS).distance())
        .isLessThan(name.equals("deepseek_v3") || name.equals("gpt_oss") ? 0.03 : 1e-5);
  }
}
