package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.StoredFile;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.BiPredicate;

/**
 * The names in a store's root, but for hidden ones.
 *
 * @param all sorted
 */
record FolderNames(CheckpointStore store, List<String> all) {
  private static final int DEEPEST = 3;
  private static final int MOST_FOLDERS = 200;

  FolderNames {
    all = List.copyOf(all);
  }

  static FolderNames of(CheckpointStore store) {
    return new FolderNames(
        store,
        store.list("").stream()
            .map(StoredFile::name)
            .filter(name -> !name.startsWith("."))
            .sorted()
            .toList());
  }

  boolean has(String name) {
    return all.contains(name);
  }

  /** Safetensors files that may be a model's: none of an adapter that is beside it. */
  List<String> candidates() {
    boolean adapter = has(Adapter.CONFIG);
    return all.stream()
        .filter(
            name ->
                name.endsWith(CheckpointFiles.EXTENSION) && !(adapter && Adapter.isWeights(name)))
        .toList();
  }

  /** The only index of safetensors files that is not called as usual. */
  Optional<String> otherIndex() {
    List<String> found =
        all.stream()
            .filter(name -> name.matches(".*\\.safetensors\\.index(\\.\\w+)?\\.json"))
            .toList();
    return found.size() == 1 ? Optional.of(found.getFirst()) : Optional.empty();
  }

  List<String> otherWeights() {
    return all.stream()
        .filter(name -> WeightFormat.of(name).isPresent() || OtherWeights.isNamed(name))
        .toList();
  }

  /** Where the first folder below, a few levels deep, is that is what is looked for. */
  Optional<String> modelBelow(BiPredicate<CheckpointStore, String> wanted) {
    Deque<String> waiting = new ArrayDeque<>(List.of(""));
    for (int seen = 0; !waiting.isEmpty() && seen < MOST_FOLDERS; seen++) {
      String next = waiting.removeFirst();
      if (!next.isEmpty() && wanted.test(store, next)) {
        return Optional.of(store.place(next));
      }
      if (depth(next) < DEEPEST) {
        store.list(next).stream()
            .filter(entry -> entry.kind() == StoredFile.Kind.FOLDER)
            .filter(entry -> !entry.fileName().startsWith("."))
            .limit(MOST_FOLDERS)
            .forEach(entry -> waiting.add(entry.name()));
      }
    }
    return Optional.empty();
  }

  private static int depth(String folder) {
    return folder.isEmpty() ? 0 : folder.split("/").length;
  }

  /** Whether weights are there under their usual names. */
  static boolean holdsModel(CheckpointStore store, String folder) {
    return isFile(store, folder + "/" + CheckpointFiles.SINGLE)
        || isFile(store, folder + "/" + CheckpointFiles.INDEX);
  }

  /** The same, and config.json says that it is a model of transformers. */
  static boolean holdsLanguageModel(CheckpointStore store, String folder) {
    try {
      return holdsModel(store, folder)
          && JsonFile.read(store, folder + "/" + JsonFile.CONFIG).path("model_type").isTextual();
    } catch (EngineException unreadable) {
      return false;
    }
  }

  private static boolean isFile(CheckpointStore store, String name) {
    try {
      return store.find(name).filter(StoredFile::isFile).isPresent();
    } catch (EngineException linkToNothing) {
      return false;
    }
  }
}
