package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.FileNames;
import io.cafeq.engine.store.StoredFile;
import java.io.IOException;
import java.util.HashSet;
import java.util.Optional;
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
  static Set<String> of(CheckpointStore store) {
    Set<String> folders = new HashSet<>();
    try {
      Optional<StoredFile> list = store.find(LIST);
      if (list.isPresent() && list.get().isFile() && list.get().size() <= LARGEST) {
        for (JsonNode module : JsonMapper.builder().build().readTree(store.read(LIST, LARGEST))) {
          String path = module.path("path").asText();
          if (FileNames.isPlain(path)) {
            folders.add(path);
          }
        }
      }
    } catch (IOException | EngineException somethingElse) {
      return Set.of();
    }
    return folders;
  }

  /**
   * Whether the file is the weights of such a module: one file, in the format that loaders look for
   * first.
   */
  static boolean isWeights(CheckpointStore store, StoredFile file, Set<String> modules) {
    int end = file.name().lastIndexOf('/');
    return end > 0
        && modules.contains(file.name().substring(0, end))
        && switch (file.fileName()) {
          case CheckpointFiles.SINGLE -> true;
          case "pytorch_model.bin" ->
              store.find(file.name().substring(0, end + 1) + CheckpointFiles.SINGLE).isEmpty();
          default -> false;
        };
  }
}
