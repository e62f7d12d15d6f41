package io.cafeq.engine.checkpoint;

import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.StoredFile;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What is beside the weights. Copied are ordinary files of at most 64 MiB: README, licence, config,
 * tokenizer, templates, code, and unknown files; also those in folders, since chat templates and
 * sub-configurations can be there. Left out are other weights of any format and their indexes;
 * folders that hold such weights, since all in them is about these, unless they hold code;
 * descriptions of the source's weights and adapters for them, unless such weights stay; hidden
 * files and folders, larger files, linked folders (they can lead anywhere), links to nothing, and
 * folders with more than 256 files or 8 levels.
 *
 * @param taken names relative to the checkpoint's root, sorted
 * @param leftOut sorted by name
 */
record SideFiles(List<String> taken, List<LeftOut> leftOut) {
  /** The largest tokenizers have about 40 MB. */
  static final long LARGEST = 64L << 20;

  private static final int MOST_FILES = 256;
  private static final int DEEPEST = 8;

  SideFiles {
    taken = taken.stream().sorted().toList();
    leftOut = leftOut.stream().sorted(Comparator.comparing(LeftOut::name)).toList();
  }

  /**
   * Looks at names, and at the first bytes of files.
   *
   * @param descriptionsStay whether quantized weights stay as they are, with what describes them
   */
  static SideFiles find(CheckpointFiles checkpoint, boolean descriptionsStay) {
    SideFiles found = new SideFiles(List.of(), List.of());
    if (!checkpoint.whole()) {
      return found;
    }
    CheckpointStore store = checkpoint.store();
    Search search = new Search(store, descriptionsStay, ModuleFolders.of(store));
    List<SideFiles> all = new ArrayList<>();
    for (StoredFile entry : store.list("")) {
      boolean isIndex = checkpoint.index() != null && entry.name().equals(CheckpointFiles.INDEX);
      if (!isIndex && !checkpoint.shards().contains(entry.name())) {
        all.add(search.entry(entry));
      }
    }
    return together(all);
  }

  private static SideFiles together(List<SideFiles> parts) {
    return new SideFiles(
        parts.stream().flatMap(part -> part.taken().stream()).toList(),
        parts.stream().flatMap(part -> part.leftOut().stream()).toList());
  }

  private static SideFiles leftOut(StoredFile entry, LeftOut.Reason reason) {
    return new SideFiles(List.of(), List.of(new LeftOut(entry.name(), reason)));
  }

  /**
   * {@code modules}: folders of the parts that a model is made of beside the transformer, with
   * weights of their own.
   */
  private record Search(CheckpointStore store, boolean descriptionsStay, Set<String> modules) {
    SideFiles entry(StoredFile entry) {
      if (isFolder(entry)) {
        List<SideFiles> inside = new ArrayList<>();
        return walk(entry, 1, inside)
            ? together(inside)
            : SideFiles.leftOut(entry, LeftOut.Reason.MANY);
      }
      return reason(entry)
          .map(reason -> SideFiles.leftOut(entry, reason))
          .orElseGet(() -> new SideFiles(List.of(entry.name()), List.of()));
    }

    private boolean walk(StoredFile folder, int depth, List<SideFiles> found) {
      if (depth > DEEPEST) {
        return false;
      }
      List<StoredFile> entries = store.list(folder.name());
      if (isOfOtherWeights(folder, entries)) {
        found.add(SideFiles.leftOut(folder, LeftOut.Reason.WEIGHTS));
        return true;
      }
      for (StoredFile entry : entries) {
        if (isFolder(entry)) {
          if (!walk(entry, depth + 1, found)) {
            return false;
          }
        } else {
          found.add(entry(entry));
        }
        if (found.size() > MOST_FILES) {
          return false;
        }
      }
      return true;
    }

    private boolean isOfOtherWeights(StoredFile folder, List<StoredFile> entries) {
      return OtherWeights.isNamed(folder.fileName())
          || !modules.contains(folder.name())
              && entries.size() <= MOST_FILES
              && entries.stream().noneMatch(entry -> entry.fileName().endsWith(".py"))
              && entries.stream()
                  .anyMatch(
                      entry -> !entry.fileName().startsWith(".") && OtherWeights.is(store, entry));
    }

    private Optional<LeftOut.Reason> reason(StoredFile entry) {
      String name = entry.fileName();
      if (name.startsWith(".")) {
        return Optional.of(LeftOut.Reason.HIDDEN);
      }
      if (OtherWeights.isNamed(name)
          ? !ModuleFolders.isWeights(store, entry, modules)
          : entry.isFile() && OtherWeights.is(store, entry)) {
        return Optional.of(LeftOut.Reason.WEIGHTS);
      }
      if (!entry.isFile()) {
        return Optional.of(LeftOut.Reason.NO_FILE);
      }
      if (entry.size() > LARGEST) {
        return Optional.of(LeftOut.Reason.LARGE);
      }
      return descriptionsStay ? Optional.empty() : Descriptions.of(store, entry);
    }
  }

  private static boolean isFolder(StoredFile entry) {
    return entry.kind() == StoredFile.Kind.FOLDER && !entry.fileName().startsWith(".");
  }
}
