package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The names in a folder, but for hidden ones.
 *
 * @param all sorted
 */
record FolderNames(Path folder, List<String> all) {
  private static final int DEEPEST = 3;
  private static final int MOST_FOLDERS = 200;

  FolderNames {
    all = List.copyOf(all);
  }

  static FolderNames of(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return new FolderNames(
          folder,
          files.map(FolderNames::name).filter(name -> !name.startsWith(".")).sorted().toList());
    }
  }

  boolean has(String name) {
    return all.contains(name);
  }

  Path path(String name) {
    return folder.resolve(name);
  }

  /** Safetensors files that may be a model's: none of an adapter that lies beside it. */
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

  /** The first folder below, a few levels deep, that is what is looked for. */
  Optional<Path> modelBelow(Predicate<Path> wanted) throws IOException {
    Deque<Path> waiting = new ArrayDeque<>(List.of(folder));
    for (int seen = 0; !waiting.isEmpty() && seen < MOST_FOLDERS; seen++) {
      Path next = waiting.removeFirst();
      if (!next.equals(folder) && wanted.test(next)) {
        return Optional.of(next);
      }
      if (next.getNameCount() - folder.getNameCount() < DEEPEST) {
        try (Stream<Path> entries = Files.list(next)) {
          entries
              .filter(entry -> Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS))
              .filter(entry -> !name(entry).startsWith("."))
              .sorted()
              .limit(MOST_FOLDERS)
              .forEach(waiting::add);
        }
      }
    }
    return Optional.empty();
  }

  /** Whether weights are there under their usual names. */
  static boolean holdsModel(Path folder) {
    return Files.isRegularFile(folder.resolve(CheckpointFiles.SINGLE))
        || Files.isRegularFile(folder.resolve(CheckpointFiles.INDEX));
  }

  /** The same, and config.json says that it is a model of transformers. */
  static boolean holdsLanguageModel(Path folder) {
    try {
      return holdsModel(folder)
          && ModelConfig.read(folder.resolve(ModelConfig.FILE)).path("model_type").isTextual();
    } catch (EngineException unreadable) {
      return false;
    }
  }

  private static String name(Path path) {
    return Objects.requireNonNull(path.getFileName()).toString();
  }
}
