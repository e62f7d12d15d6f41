package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.cafeq.engine.failure.FileFailure;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Reads config.json and the other small descriptions beside the weights. */
final class ModelConfig {
  static final String FILE = "config.json";
  private static final long LARGEST = 16L << 20;

  private ModelConfig() {}

  /** The object in the file; an empty one where there is no file. */
  static JsonNode read(Path path) {
    CheckpointFiles.refuseLinkToNothing(path);
    if (!Files.exists(path)) {
      return JsonNodeFactory.instance.objectNode();
    }
    String renew = "Download " + path.getFileName() + " again, or fix it.";
    if (!Files.isRegularFile(path)) {
      throw new CheckpointException(
          path
              + ": expected a file, found "
              + (Files.isDirectory(path) ? "a folder" : "something else"),
          renew);
    }
    try {
      long bytes = Files.size(path);
      if (bytes > LARGEST) {
        throw new CheckpointException(
            path + ": has " + bytes + " bytes, at most " + LARGEST + " are read", renew);
      }
      JsonNode config = JsonText.tree(Files.readAllBytes(path));
      if (!config.isObject()) {
        throw new CheckpointException(
            path
                + ": expected a JSON object, found "
                + (config.isMissingNode()
                    ? "nothing"
                    : config.getNodeType().name().toLowerCase(Locale.ROOT)),
            renew);
      }
      return config;
    } catch (JsonProcessingException e) {
      throw new CheckpointException(path + ": is not JSON: " + JsonText.fault(e), renew, e);
    } catch (AccessDeniedException e) {
      throw new CheckpointException(
          path + ": permission to read it is denied",
          "Allow yourself to read it, such as with \"chmod u+r\" on the file and what it links to.",
          e);
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    }
  }
}
