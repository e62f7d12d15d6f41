package io.cafeq.engine.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * {@code README.md} of an export, as model hubs show it: what was quantized, how, how far the
 * result is from the source, and how to make it again. A card that the source had is kept beside
 * it.
 */
public final class ModelCard {
  private static final String CARD = "README.md";
  private static final String SOURCES_CARD = "README-source.md";

  private ModelCard() {}

  /**
   * @param format id of the export format
   * @param library that loads it, as hubs call it
   */
  public static void write(ResultReader result, Path folder, String format, String library) {
    Path card = folder.resolve(CARD);
    try {
      if (Files.exists(card)) {
        Files.move(card, folder.resolve(SOURCES_CARD));
      }
    } catch (IOException e) {
      throw FileFailure.of("write", card, e);
    }
    DurableFile.write(card, text(result, format, library).getBytes(StandardCharsets.UTF_8));
  }

  private static String text(ResultReader result, String format, String library) {
    Manifest manifest = result.manifest();
    String name = VisibleText.line(manifest.source().name());
    StringBuilder text = new StringBuilder("---\n");
    // hubs link what is called by organization and name
    if (name.matches("[\\w.-]+/[\\w.-]+")) {
      text.append("base_model: ").append(name).append("\nbase_model_relation: quantized\n");
    }
    text.append("library_name: ").append(library).append("\n");
    text.append("tags:\n- quantized\n- cafeq\n- ").append(format).append("\n---\n\n");
    text.append("# ").append(name).append(", quantized\n\n");
    text.append("Quantized with CafeQ Engine and written as `").append(format).append("`.\n\n");
    text.append("| | |\n|---|---|\n");
    rows(result).forEach(row -> text.append("| ").append(row).append(" |\n"));
    text.append("\nThe same result again, with the following as the file `recipe.conf`:\n\n```\n");
    text.append("cafeq quantize MODEL --recipe recipe.conf --out RESULT\n");
    text.append("cafeq export RESULT --format ").append(format).append(" --out DIR\n```\n\n```\n");
    text.append(VisibleText.lines(manifest.recipe())).append("\n```\n");
    return text.toString();
  }

  private static List<String> rows(ResultReader result) {
    Manifest manifest = result.manifest();
    Manifest.Totals totals = manifest.totals();
    List<String> rows = new ArrayList<>();
    rows.add(
        String.format(
            Locale.ROOT,
            "bits per quantized weight, scales included | %.2f",
            totals.quantizedBits() / (double) Math.max(1, totals.quantizedWeights())));
    rows.add(
        String.format(
            Locale.ROOT,
            "quantized | %.1f of %.1f million weights",
            totals.quantizedWeights() / 1e6,
            totals.weights() / 1e6));
    Manifest.Statistics statistics = manifest.statistics();
    rows.add(
        "calibration | "
            + (statistics == null
                ? "none"
                : statistics.source()
                    + (statistics.tokens() > 0 ? ", " + statistics.tokens() + " tokens" : "")));
    JsonNode measured = report(result).path("totals");
    error(rows, "relative error of the weights", measured.path("relative_error"));
    error(rows, "relative error of each layer's outputs", measured.path("relative_output_error"));
    return rows;
  }

  private static void error(List<String> rows, String what, JsonNode value) {
    if (value.isNumber()) {
      rows.add(String.format(Locale.ROOT, "%s | %.4f", what, value.doubleValue()));
    }
  }

  /** What the run measured; nothing where its report is gone. */
  private static JsonNode report(ResultReader result) {
    Path file = result.folder().resolve(ResultLayout.REPORT);
    try {
      return Files.isRegularFile(file)
          ? JsonText.tree(Files.readAllBytes(file))
          : JsonNodeFactory.instance.objectNode();
    } catch (JsonProcessingException e) {
      return JsonNodeFactory.instance.objectNode();
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }
}
