package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads config.json. */
final class ModelConfig {
  private static final long LARGEST = 16L << 20;
  private static final String RENEW = "Download config.json again, or mend it.";

  private ModelConfig() {}

  /** The object in the file; an empty one where there is no file. */
  static JsonNode read(Path path) {
    JsonMapper mapper = JsonMapper.builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .build();
    if (!Files.exists(path)) {
      return mapper.createObjectNode();
    }
    try {
      long bytes = Files.size(path);
      if (bytes > LARGEST) {
        throw new CheckpointException(path + ": has " + bytes + " bytes, at most " + LARGEST + " are read", RENEW);
      }
      JsonNode config = mapper.readTree(Files.readAllBytes(path));
      if (!config.isObject()) {
        throw new CheckpointException(path + ": expected a JSON object, found " + config.getNodeType(), RENEW);
      }
      return config;
    } catch (JsonProcessingException e) {
      throw new CheckpointException(path + ": is not JSON: " + e.getOriginalMessage(), RENEW, e);
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT, path + ": cannot be read: " + e, "Check the disk and the file's permissions.", e);
    }
  }
}
