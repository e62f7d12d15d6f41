package io.cafeq.engine.budget;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The choices of a job, kept beside its result so that a resume on another CPU uses them.
 *
 * @param kernel of the backend that measured
 * @param clusters in the order of the plan
 */
record PlanFile(JobIdentity identity, String kernel, List<Entry> clusters) {
  private static final long LARGEST = 64L << 20;
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(SerializationFeature.WRITE_ENUMS_USING_TO_STRING)
          .enable(DeserializationFeature.READ_ENUMS_USING_TO_STRING)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  PlanFile {
    Objects.requireNonNull(identity);
    Objects.requireNonNull(kernel);
    clusters = List.copyOf(clusters);
  }

  /** How a cluster is divided. */
  enum Division {
    TOGETHER,
    APART,
    PAIRED
  }

  /**
   * One cluster.
   *
   * @param rows which rows it is about
   * @param treated one for each part; for a pair the left and the right matrix
   */
  record Entry(String rows, Division division, List<Treated> treated) {
    Entry {
      Objects.requireNonNull(rows);
      Objects.requireNonNull(division);
      treated = List.copyOf(treated);
    }
  }

  /**
   * Treatment of some rows, with its prediction.
   *
   * @param group 0 for whole rows
   * @param bitsPerWeight everything that is stored; for people, never read back
   * @param error relative l2 error; of a pair's matrix, its share of the PQE
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Treated(
      int bits,
      int group,
      ScaleStorage scales,
      @Nullable Transform transform,
      double bitsPerWeight,
      double error) {
    Treated {
      Objects.requireNonNull(scales);
    }
  }

  /** A transform. */
  record Transform(Kind kind, Side side, int block, TransformStorage storage) {
    Transform {
      Objects.requireNonNull(kind);
      Objects.requireNonNull(side);
      Objects.requireNonNull(storage);
    }
  }

  void write(Path file) {
    try {
      DurableFile.write(file, MAPPER.writeValueAsBytes(this));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the plan cannot be written as JSON", e);
    }
  }

  /** Kind RESULT where it is damaged, ENVIRONMENT where it cannot be read. */
  static PlanFile read(Path file) {
    try {
      if (Files.size(file) > LARGEST) {
        throw damaged(file, "it is larger than any plan", null);
      }
      return Optional.ofNullable(MAPPER.readValue(Files.readAllBytes(file), PlanFile.class))
          .orElseThrow(() -> damaged(file, "it is empty", null));
    } catch (JsonProcessingException e) {
      throw damaged(file, JsonText.fault(e), e);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  static EngineException damaged(Path file, String how, @Nullable Throwable cause) {
    return new EngineException(
        FailureKind.RESULT,
        file + " does not say what was chosen for this job: " + how,
        "Choose another folder with --out, or delete this one.",
        cause);
  }
}
