package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;

/**
 * Folders of a Sentence Transformers model that hold its further modules, such as a dense layer
 * after the pooling: modules.json names them, and the model does not load without the small weights
 * in them.
 */
final class ModuleFolders {
  private static final String LIST = "modules.json";
  private static final long LARGEST = 1L << 20;

  private ModuleFolders() {}

  /**
   * Those that the checkpoint's modules.json names; none where there is no such file, or it is
   * something else.
   */
  static Set<Path> of(Path folder) {
    Set<Path> folders = new HashSet<>();
    Path list = folder.resolve(LIST);
    try {
      if (Files.isRegularFile(list) && Files.size(list) <= LARGEST) {
        for (JsonNode module : JsonMapper.builder().build().readTree(Files.readAllBytes(list))) {
          String path = module.path("path").asText();
          if (Names.isPlainFileName(path)) {
            folders.add(folder.resolve(path));
          }
        }
      }
    } catch (IOException somethingElse) {
      return Set.of();
    }
    return folders;
  }

  /**
   * Whether the file is the weights of such a module: one file, in the format that loaders look for
   * first.
   */
  static boolean isWeights(Path file, Set<Path> modules) {
    Path folder = Objects.requireNonNull(file.getParent());
    return modules.contains(folder)
        && switch (String.valueOf(file.getFileName())) {
          case CheckpointFiles.SINGLE -> true;
          case "pytorch_model.bin" -> !Files.exists(folder.resolve(CheckpointFiles.SINGLE));
          default -> false;
        };
  }
}
