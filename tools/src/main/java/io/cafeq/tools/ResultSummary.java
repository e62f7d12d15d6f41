package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.text.VisibleText;
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
 * What the manifest of a result and the headers of its files say, with the errors from its report
 * where that is still there.
 *
 * @param statistics of the inputs that it was made with; left out where there are none
 * @param relativeError null without a report
 * @param pairs coupled matrices, of which only the product is that of the source
 * @param tensors in the order of the units
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
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Statistics statistics,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double relativeError,
    SortedMap<String, String> aliases,
    List<String> sideFiles,
    List<Pair> pairs,
    List<Unit> units,
    List<Tensor> tensors) {

  /**
   * @param source where the tokens came from
   * @param window tokens that saw one another
   */
  record Statistics(String source, long tokens, int window) {
    private static @Nullable Statistics of(Manifest.@Nullable Statistics taken) {
      return taken == null ? null : new Statistics(taken.source(), taken.tokens(), taken.window());
    }
  }

  /**
   * One pair.
   *
   * @param kind value-output or query-key
   * @param heads key-value heads, each with a transform of its own
   */
  record Pair(String kind, String left, String right, int heads) {
    private static Pair of(Coupling coupling) {
      return new Pair(
          coupling.kind().text(), coupling.left(), coupling.right(), coupling.heads().size());
    }
  }

  /**
   * One tensor.
   *
   * @param stored how, in words
   * @param coupled whether it is a factor of a pair, or holds one
   */
  record Tensor(String name, String unit, String stored, boolean coupled) {
    private static Tensor of(UnitHeader unit, TensorHeader tensor) {
      return new Tensor(
          tensor.name(), unit.id(), StoredForm.of(tensor), StoredForm.isCoupled(tensor));
    }
  }

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
    return new ResultLayout(path).isComplete();
  }

  static ResultSummary of(Path folder) {
    Manifest manifest = Manifest.read(folder);
    Report report =
        Files.exists(new ResultLayout(folder).report()) ? ReportFile.read(folder) : null;
    Map<String, UnitEntry> entries =
        report == null
            ? Map.of()
            : report.units().stream().collect(Collectors.toMap(UnitEntry::id, Function.identity()));
    Manifest.Totals totals = manifest.totals();
    List<UnitHeader> headers =
        manifest.units().stream().map(unit -> header(folder.resolve(unit.file()))).toList();
    return new ResultSummary(
        "result",
        folder.toString(),
        manifest.source().name(),
        manifest.algorithmVersion(),
        manifest.kernels(),
        json(manifest.recipe()),
        manifest.recipeHash(),
        totals.weights(),
        totals.quantizedWeights(),
        totals.quantizedWeights() == 0
            ? 0
            : (double) totals.quantizedBits() / totals.quantizedWeights(),
        totals.unitBytes(),
        Statistics.of(manifest.statistics()),
        report == null ? null : report.totals().relativeError(),
        manifest.aliases(),
        manifest.sideFiles().stream().map(Manifest.SideFileEntry::path).toList(),
        headers.stream().flatMap(unit -> unit.couplings().stream()).map(Pair::of).toList(),
        manifest.units().stream().map(unit -> unit(unit, entries.get(unit.id()))).toList(),
        headers.stream()
            .flatMap(unit -> unit.tensors().stream().map(tensor -> Tensor.of(unit, tensor)))
            .toList());
  }

  /**
   * A manifest can say anything: what is no JSON must not become a part of ours but as a string.
   */
  private static String json(String recipe) {
    try {
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build()
          .readTree(recipe);
      return recipe;
    } catch (JsonProcessingException e) {
      return TextNode.valueOf(recipe).toString();
    }
  }

  private static UnitHeader header(Path file) {
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      return reader.header();
    }
  }

  private static Unit unit(Manifest.UnitEntry unit, @Nullable UnitEntry entry) {
    return entry == null || !entry.quantized()
        ? new Unit(unit.id(), unit.tensors(), unit.bytes(), unit.kernel(), null, null, null, null)
        : new Unit(
            unit.id(),
            unit.tensors(),
            unit.bytes(),
            unit.kernel(),
            entry.description(),
            entry.bitsPerWeight(),
            entry.relativeError(),
            entry.fellBack());
  }

  /** For people; with {@code all} every unit has a line. */
  String text(boolean all) {
    TextTable overview =
        new TextTable(2)
            .row("result", path)
            .row("made from", source)
            .row("made by", String.join(", ", kernels) + ", algorithm version " + algorithmVersion)
            .row("recipe", recipeHash)
            .row(
                "weights",
                Amounts.count(quantizedWeights) + " of " + Amounts.count(weights) + " quantized")
            .row("bits per weight", Amounts.bits(bitsPerWeight) + " with scales and transforms")
            .row(
                "statistics",
                statistics == null
                    ? "none: calibration-free"
                    : Amounts.count(statistics.tokens()) + " tokens, source " + statistics.source())
            .row(
                "relative error",
                relativeError == null
                    ? "unknown without " + ResultLayout.REPORT
                    : Amounts.error(relativeError))
            .row(
                "files",
                units.size()
                    + " units, "
                    + Amounts.bytes(unitBytes)
                    + "; side files: "
                    + sideFiles.size());
    if (!pairs.isEmpty()) {
      overview.row(
          "pairs",
          pairs.size() + ", whose matrices stand for those of the source only as a product");
    }
    aliases.forEach((alias, stored) -> overview.row("tied", alias + " is " + stored));
    if (!all) {
      return overview.render();
    }
    TextTable table = new TextTable(2).row("unit", "stored as", "bits", "error", "size");
    units.forEach(
        unit ->
            table.row(
                unit.id(),
                unit.description() == null
                    ? "bytes of " + unit.tensors().size() + " tensors"
                    : unit.description(),
                unit.bitsPerWeight() == null ? "" : Amounts.bits(unit.bitsPerWeight()),
                unit.relativeError() == null ? "" : Amounts.error(unit.relativeError()),
                Amounts.bytes(unit.bytes())));
    TextTable forms = new TextTable(2).row("tensor", "stored as");
    tensors.forEach(tensor -> forms.row(tensor.name(), tensor.stored()));
    return overview.render()
        + VisibleText.line(recipe)
        + "\n\n"
        + table.render()
        + "\n"
        + forms.render()
        + pairsText();
  }

  private String pairsText() {
    if (pairs.isEmpty()) {
      return "";
    }
    TextTable table = new TextTable(3).row("pair", "left", "right", "heads");
    pairs.forEach(
        pair -> table.row(pair.kind(), pair.left(), pair.right(), Integer.toString(pair.heads())));
    return "\n" + table.render();
  }
}
