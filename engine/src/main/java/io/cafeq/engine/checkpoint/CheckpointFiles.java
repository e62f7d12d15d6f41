package io.cafeq.engine.checkpoint;

import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.Located;
import io.cafeq.engine.store.StoredFile;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which files of a folder are the checkpoint.
 *
 * @param store borrowed
 * @param shards plain names in order
 * @param index null for a single file
 * @param whole whether the folder is the checkpoint; false where a single file was named in a
 *     folder without config.json
 */
record CheckpointFiles(
    CheckpointStore store, List<String> shards, @Nullable ShardIndex index, boolean whole) {
  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  static final String EXTENSION = ".safetensors";
  private static final Pattern SHARD = Pattern.compile(".*-\\d+-of-(?!0*1\\.)\\d+\\.safetensors");
  static final String HOW =
      "Give the folder of a Hugging Face model with model.safetensors, or the path of one"
          + " .safetensors file.";

  CheckpointFiles {
    shards = List.copyOf(shards);
  }

  /**
   * Finds them; reads nothing but names, the index and, where a folder is something else, what it
   * says of itself.
   */
  static CheckpointFiles find(Located located) {
    return located
        .file()
        .map(file -> single(located.store(), file))
        .orElseGet(() -> inRoot(located.store()));
  }

  private static CheckpointFiles single(CheckpointStore store, String name) {
    if (!name.endsWith(EXTENSION)) {
      throw new CheckpointException(
          store.place(name) + ": expected a .safetensors file, found " + VisibleText.quoted(name),
          WeightFormat.of(name).map(WeightFormat::remedy).orElse(HOW));
    }
    boolean whole = store.find(JsonFile.CONFIG).filter(StoredFile::isFile).isPresent();
    return new CheckpointFiles(store, List.of(name), null, whole);
  }

  private static CheckpointFiles inRoot(CheckpointStore store) {
    boolean indexed = store.find(INDEX).isPresent();
    boolean single = store.find(SINGLE).isPresent();
    if (indexed) {
      ShardIndex index = ShardIndex.read(store, INDEX);
      // The common loaders look for model.safetensors first; an index that knows it says more,
      // another one is a
      // leftover.
      if (!single || index.fileNames().contains(SINGLE)) {
        return new CheckpointFiles(store, List.copyOf(index.fileNames()), index, true);
      }
    }
    if (single) {
      return new CheckpointFiles(store, List.of(SINGLE), null, true);
    }
    FolderNames names = FolderNames.of(store);
    Optional<FolderKind> kind = FolderKind.recognise(names);
    if (kind.isPresent()) {
      throw kind.get().refusal(store);
    }
    List<String> candidates = names.candidates();
    // One shard of several, downloaded without its index and the others, is not the model.
    if (candidates.size() == 1 && !SHARD.matcher(candidates.getFirst()).matches()) {
      return new CheckpointFiles(store, candidates, null, true);
    }
    if (!candidates.isEmpty()) {
      throw withoutIndex(store, names);
    }
    Optional<String> deeper = names.modelBelow(FolderNames::holdsModel);
    if (deeper.isPresent()) {
      throw new CheckpointException(
          store.location() + ": has no weights itself; a model is in " + deeper.get(),
          "Give that folder instead.");
    }
    List<String> others = names.otherWeights();
    throw new CheckpointException(
        store.location()
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

  private static CheckpointException withoutIndex(CheckpointStore store, FolderNames names) {
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
        store.location()
            + ": found "
            + found
            + ", but no "
            + INDEX
            + " that says what belongs together",
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
