package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which files of a folder are the checkpoint.
 *
 * @param folder real path
 * @param shards plain names in order
 * @param index null for a single file
 * @param whole whether the folder is the checkpoint; false where a single file was named in a folder without
 *     config.json
 */
record CheckpointFiles(Path folder, List<String> shards, @Nullable ShardIndex index, boolean whole) {
  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  static final String EXTENSION = ".safetensors";
  private static final String HOW =
      "Give the folder of a Hugging Face model with model.safetensors, or the path of one .safetensors file.";

  CheckpointFiles {
    shards = List.copyOf(shards);
  }

  /** Finds them; reads nothing but names and the index. */
  static CheckpointFiles find(Path path) {
    try {
      if (!Files.exists(path)) {
        throw new EngineException(FailureKind.USAGE, path + ": no such file or folder", HOW);
      }
      if (Files.isDirectory(path)) {
        return inFolder(path.toRealPath());
      }
      // The folder of the name, not of what a link points to: that is where its neighbours are.
      Path absolute = path.toAbsolutePath().normalize();
      String name = Objects.requireNonNull(absolute.getFileName()).toString();
      if (!name.endsWith(EXTENSION)) {
        throw new CheckpointException(path + ": expected a .safetensors file, found " + Names.quoted(name), HOW);
      }
      Path folder = Objects.requireNonNull(absolute.getParent()).toRealPath();
      return new CheckpointFiles(folder, List.of(name), null, Files.isRegularFile(folder.resolve("config.json")));
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          path + ": cannot be opened: " + e,
          "Check the disk and the folder's permissions.",
          e);
    }
  }

  private static CheckpointFiles inFolder(Path folder) throws IOException {
    boolean single = Files.exists(folder.resolve(SINGLE));
    if (Files.exists(folder.resolve(INDEX))) {
      ShardIndex index = ShardIndex.read(folder.resolve(INDEX));
      // The common loaders look for model.safetensors first; an index that knows it says more, another one is a
      // leftover.
      if (!single || index.fileNames().contains(SINGLE)) {
        return new CheckpointFiles(folder, List.copyOf(index.fileNames()), index, true);
      }
    }
    if (single) {
      return new CheckpointFiles(folder, List.of(SINGLE), null, true);
    }
    List<String> names;
    try (Stream<Path> files = Files.list(folder)) {
      names = files
          .map(f -> Objects.requireNonNull(f.getFileName()).toString())
          .filter(n -> !n.startsWith("."))
          .sorted()
          .toList();
    }
    List<String> candidates = names.stream().filter(n -> n.endsWith(EXTENSION)).toList();
    // One shard of several, downloaded without its index and the others, is not the model.
    if (candidates.size() == 1 && !candidates.getFirst().matches(".*-\\d+-of-(?!0*1\\.)\\d+\\.safetensors")) {
      return new CheckpointFiles(folder, candidates, null, true);
    }
    if (!candidates.isEmpty()) {
      String found = candidates.size() == 1
          ? candidates.getFirst()
          : candidates.size() + " .safetensors files (" + candidates.getFirst() + " ... " + candidates.getLast() + ")";
      throw new CheckpointException(
          folder + ": found " + found + ", but no " + INDEX + " that says what belongs together",
          "Download " + INDEX + " as well, or give the path of one of the files.");
    }
    List<String> others = names.stream().filter(OtherWeights::isNamed).toList();
    throw new CheckpointException(
        folder + ": expected " + SINGLE + " or " + INDEX + ", found "
            + (others.isEmpty() ? "no weights at all" : "only weights of other formats: " + others.getFirst()
                + (others.size() > 1 ? " and " + (others.size() - 1) + " more" : "")),
        others.isEmpty() ? HOW : "Convert the checkpoint to safetensors, or download its safetensors files.");
  }
}
