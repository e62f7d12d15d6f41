package io.cafeq.engine.output;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The file of a result's identity, written before the first unit. */
final class IdentityFile {
  private static final String STATISTICS = "statistics";

  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private IdentityFile() {}

  static void write(Path file, ResultIdentity identity) {
    try {
      DurableFile.write(file, MAPPER.writeValueAsBytes(identity));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the identity cannot be written as JSON", e);
    }
  }

  /** Empty if there is none; kind RESULT if it is unreadable. */
  static Optional<ResultIdentity> read(Path file) {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    try {
      JsonNode identity = MAPPER.readTree(bytes);
      if (!(identity instanceof ObjectNode object)) {
        return Optional.of(MAPPER.readValue(bytes, ResultIdentity.class));
      }
      if (!object.has(STATISTICS)) {
        // as it was before there were any
        object.set(STATISTICS, MAPPER.valueToTree(ResultIdentity.Statistics.NONE));
      }
      return Optional.of(MAPPER.treeToValue(object, ResultIdentity.class));
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.RESULT,
          file + " is damaged, so nothing says what the folder's units were made from",
          "Choose another folder with --out, or delete this one.",
          e);
    }
  }
}
