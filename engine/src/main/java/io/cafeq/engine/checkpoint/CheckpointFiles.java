package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which files of a folder are the checkpoint.
 *
 * @param folder real path
 * @param shards plain names in order
 * @param index null for a single file
 * @param whole whether the folder is the checkpoint; false where a single file was named in a
 *     folder without config.json
 */
record CheckpointFiles(
    Path folder, List<String> shards, @Nullable ShardIndex index, boolean whole) {
  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  static final String EXTENSION = ".safetensors";
  private static final Pattern SHARD = Pattern.compile(".*-\\d+-of-(?!0*1\\.)\\d+\\.safetensors");
  private static final String HOW =
      "Give the folder of a Hugging Face model with model.safetensors, or the path of one"
          + " .safetensors file.";

  CheckpointFiles {
    shards = List.copyOf(shards);
  }

  /**
   * Finds them; reads nothing but names, the index and, where a folder is something else, what it
   * says of itself.
   */
  static CheckpointFiles find(Path path) {
    try {
      refuseLinkToNothing(path);
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
        throw new CheckpointException(
            path + ": expected a .safetensors file, found " + VisibleText.quoted(name),
            WeightFormat.of(name).map(WeightFormat::remedy).orElse(HOW));
      }
      Path folder = Objects.requireNonNull(absolute.getParent()).toRealPath();
      return new CheckpointFiles(
          folder, List.of(name), null, Files.isRegularFile(folder.resolve(ModelConfig.FILE)));
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          path + ": cannot be opened: " + e,
          "Check the disk and the folder's permissions.",
          e);
    }
  }

  /**
   * A download that broke off leaves links to nothing, which must not be taken for files that a
   * model goes without.
   */
  static void refuseLinkToNothing(Path file) {
    if (Files.isSymbolicLink(file) && !Files.exists(file)) {
      String target;
      try {
        target = VisibleText.quoted(Files.readSymbolicLink(file).toString());
      } catch (IOException e) {
        target = "a place that cannot be read";
      }
      throw new CheckpointException(
          file + ": is a link to nothing: there is no " + target,
          "Download the file again, or copy it in place of the link.");
    }
  }

  private static CheckpointFiles inFolder(Path folder) throws IOException {
    refuseLinkToNothing(folder.resolve(INDEX));
    refuseLinkToNothing(folder.resolve(SINGLE));
    boolean single = Files.exists(folder.resolve(SINGLE));
    if (Files.exists(folder.resolve(INDEX))) {
      ShardIndex index = ShardIndex.read(folder.resolve(INDEX));
      // The common loaders look for model.safetensors first; an index that knows it says more,
      // another one is a
      // leftover.
      if (!single || index.fileNames().contains(SINGLE)) {
        return new CheckpointFiles(folder, List.copyOf(index.fileNames()), index, true);
      }
    }
    if (single) {
      return new CheckpointFiles(folder, List.of(SINGLE), null, true);
    }
    FolderNames names = FolderNames.of(folder);
    Optional<FolderKind> kind = FolderKind.recognise(names);
    if (kind.isPresent()) {
      throw kind.get().refusal(folder);
    }
    List<String> candidates = names.candidates();
    // One shard of several, downloaded without its index and the others, is not the model.
    if (candidates.size() == 1 && !SHARD.matcher(candidates.getFirst()).matches()) {
      return new CheckpointFiles(folder, candidates, null, true);
    }
    if (!candidates.isEmpty()) {
      throw withoutIndex(folder, names);
    }
    Optional<Path> deeper = names.modelBelow(FolderNames::holdsModel);
    if (deeper.isPresent()) {
      throw new CheckpointException(
          folder + ": has no weights itself; a model is in " + deeper.get(),
          "Give that folder instead.");
    }
    List<String> others = names.otherWeights();
    throw new CheckpointException(
        folder
            + ": expected "
            + SINGLE
            + " or "
            + INDEX
            + ", found "
            + (others.isEmpty()
                ? "no weights at all"
                : "only weights of other formats: "
                    + VisibleText.shortened(others.getFirst())
                    + (others.size() > 1 ? " and " + (others.size() - 1) + " more" : "")),
        WeightFormat.best(others).map(WeightFormat::remedy).orElse(HOW));
  }

  private static CheckpointException withoutIndex(Path folder, FolderNames names) {
    List<String> candidates = names.candidates();
    String found =
        candidates.size() == 1
            ? VisibleText.shortened(candidates.getFirst())
            : candidates.size()
                + " .safetensors files ("
                + VisibleText.shortened(candidates.getFirst())
                + " ... "
                + VisibleText.shortened(candidates.getLast())
                + ")";
    return new CheckpointException(
        folder + ": found " + found + ", but no " + INDEX + " that says what belongs together",
        names
                .otherIndex()
                .map(
                    index ->
                        "Rename "
                            + VisibleText.shortened(index)
                            + " to "
                            + INDEX
                            + " if it is the index of these files, or ")
                .orElse("Download " + INDEX + " as well, or ")
            + "give the path of one of the files.");
  }
}
