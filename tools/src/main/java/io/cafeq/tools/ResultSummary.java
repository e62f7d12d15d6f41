package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonRawValue;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.report.UnitEntry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the manifest of a result says, with the errors from its report where that is still there.
 *
 * @param relativeError null without a report
 */
record ResultSummary(
    String kind,
    String path,
    String source,
    int algorithmVersion,
    SortedSet<String> kernels,
    @JsonRawValue String recipe,
    String recipeHash,
    long weights,
    long quantizedWeights,
    double bitsPerWeight,
    long unitBytes,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double relativeError,
    SortedMap<String, String> aliases,
    List<String> sideFiles,
    List<Unit> units) {

  /** One unit; the last four are null without a report and for copied units. */
  record Unit(
      String id,
      List<String> tensors,
      long bytes,
      String kernel,
      @Nullable String description,
      @Nullable Double bitsPerWeight,
      @Nullable Double relativeError,
      @Nullable Boolean fellBack) {}

  /** True for a folder that quantize finished. */
  static boolean isResult(Path path) {
    return Files.isRegularFile(path.resolve(Manifest.FILE));
  }

  static ResultSummary of(Path folder) {
    Manifest manifest = Manifest.read(folder);
    Report report = Files.exists(folder.resolve(ReportFile.NAME)) ? ReportFile.read(folder) : null;
    Map<String, UnitEntry> entries =
        report == null ? Map.of() : report.units().stream().collect(Collectors.toMap(UnitEntry::id, Function.identity()));
    Manifest.Totals totals = manifest.totals();
    return new ResultSummary(
        "result",
        folder.toString(),
        manifest.source().name(),
        manifest.algorithmVersion(),
        manifest.kernels(),
        manifest.recipe(),
        manifest.recipeHash(),
        totals.weights(),
        totals.quantizedWeights(),
        totals.quantizedWeights() == 0 ? 0 : (double) totals.quantizedBits() / totals.quantizedWeights(),
        totals.unitBytes(),
        report == null ? null : report.totals().relativeError(),
        manifest.aliases(),
        manifest.sideFiles().stream().map(Manifest.SideFileEntry::path).toList(),
        manifest.units().stream().map(unit -> unit(unit, entries.get(unit.id()))).toList());
  }

  private static Unit unit(Manifest.UnitEntry unit, @Nullable UnitEntry entry) {
    return entry == null || !entry.quantized()
        ? new Unit(unit.id(), unit.tensors(), unit.bytes(), unit.kernel(), null, null, null, null)
        : new Unit(
            unit.id(), unit.tensors(), unit.bytes(), unit.kernel(), entry.description(), entry.bitsPerWeight(),
            entry.relativeError(), entry.fellBack());
  }

  /** For people; with {@code all} every unit has a line. */
  String text(boolean all) {
    TextTable overview = new TextTable(2)
        .row("result", path)
        .row("made from", source)
        .row("made by", String.join(", ", kernels) + ", algorithm version " + algorithmVersion)
        .row("recipe", recipeHash)
        .row("weights", Amounts.count(quantizedWeights) + " of " + Amounts.count(weights) + " quantized")
        .row("bits per weight", Amounts.bits(bitsPerWeight) + " with scales and transforms")
        .row("relative error", relativeError == null ? "unknown without report.json" : Amounts.error(relativeError))
        .row("files", units.size() + " units, " + Amounts.bytes(unitBytes) + "; side files: " + sideFiles.size());
    aliases.forEach((alias, stored) -> overview.row("tied", alias + " is " + stored));
    if (!all) {
      return overview.render();
    }
    TextTable table = new TextTable(2).row("unit", "stored as", "bits", "error", "size");
    units.forEach(unit -> table.row(
        unit.id(),
        unit.description() == null ? "bytes of " + unit.tensors().size() + " tensors" : unit.description(),
        unit.bitsPerWeight() == null ? "" : Amounts.bits(unit.bitsPerWeight()),
        unit.relativeError() == null ? "" : Amounts.error(unit.relativeError()),
        Amounts.bytes(unit.bytes())));
    return overview.render() + recipe + "\n\n" + table.render();
  }
}
