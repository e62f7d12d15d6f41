package io.cafeq.engine.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** {@code report.json}: snake-case names, indented, whole or absent. */
public final class ReportFile {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(SerializationFeature.WRITE_ENUMS_USING_TO_STRING)
          .enable(DeserializationFeature.READ_ENUMS_USING_TO_STRING)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private ReportFile() {}

  /** The report as JSON text ending in a newline. */
  public static String toJson(Report report) {
    try {
      return VisibleText.lines(MAPPER.writeValueAsString(report)) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the report cannot be written as JSON", e);
    }
  }

  /** Replaces {@code report.json} in {@code folder}. */
  public static void write(Path folder, Report report) {
    DurableFile.write(
        new ResultLayout(folder).report(), toJson(report).getBytes(StandardCharsets.UTF_8));
  }

  /** Throws with kind RESULT where the text is no report. */
  public static Report read(Path folder) {
    Path file = new ResultLayout(folder).report();
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    try {
      return MAPPER.readValue(bytes, Report.class);
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.RESULT,
          String.format(Locale.ROOT, "%s is damaged: it is not a report", file),
          "Delete this one file and run the same command again.",
          e);
    }
  }
}
