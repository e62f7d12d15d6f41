package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What lies beside the weights. Along go ordinary files of at most 64 MiB: README, licence, config,
 * tokenizer, templates, code, and whatever nobody has heard of yet; also those in folders, since
 * chat templates and sub-configurations can lie there. Left out are other weights of any format and
 * their indexes; folders that hold such weights, since all in them is about these, unless they hold
 * code; descriptions of the source's weights and adapters for them, unless such weights stay;
 * hidden files and folders, larger files, linked folders (they can lead anywhere), links to
 * nothing, and folders with more than 256 files or 8 levels.
 *
 * @param taken absolute paths under the folder, sorted
 * @param leftOut sorted by path
 */
record SideFiles(List<Path> taken, List<LeftOut> leftOut) {
  /** The largest tokenizers have about 40 MB. */
  static final long LARGEST = 64L << 20;

  private static final int MOST_FILES = 256;
  private static final int DEEPEST = 8;

  SideFiles {
    taken = taken.stream().sorted().toList();
    leftOut = leftOut.stream().sorted(Comparator.comparing(LeftOut::path)).toList();
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
    try {
      Search search = new Search(descriptionsStay, ModuleFolders.of(checkpoint.folder()));
      List<SideFiles> all = new ArrayList<>();
      for (Path entry : entries(checkpoint.folder())) {
        String name = name(entry);
        boolean isIndex = checkpoint.index() != null && name.equals(CheckpointFiles.INDEX);
        if (!isIndex && !checkpoint.shards().contains(name)) {
          all.add(search.entry(entry));
        }
      }
      return together(all);
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          checkpoint.folder() + ": cannot be listed: " + e,
          "Check the disk and the folder's permissions.",
          e);
    }
  }

  private static SideFiles together(List<SideFiles> parts) {
    return new SideFiles(
        parts.stream().flatMap(part -> part.taken().stream()).toList(),
        parts.stream().flatMap(part -> part.leftOut().stream()).toList());
  }

  private static SideFiles leftOut(Path path, LeftOut.Reason reason) {
    return new SideFiles(List.of(), List.of(new LeftOut(path, reason)));
  }

  /**
   * {@code modules}: folders of the parts that a model is made of beside the transformer, with
   * weights of their own.
   */
  private record Search(boolean descriptionsStay, Set<Path> modules) {
    SideFiles entry(Path entry) throws IOException {
      if (isFolder(entry)) {
        List<SideFiles> inside = new ArrayList<>();
        return walk(entry, 1, inside)
            ? together(inside)
            : SideFiles.leftOut(entry, LeftOut.Reason.MANY);
      }
      return reason(entry)
          .map(reason -> SideFiles.leftOut(entry, reason))
          .orElseGet(() -> new SideFiles(List.of(entry), List.of()));
    }

    private boolean walk(Path folder, int depth, List<SideFiles> found) throws IOException {
      if (depth > DEEPEST) {
        return false;
      }
      List<Path> entries = entries(folder);
      if (isOfOtherWeights(folder, entries)) {
        found.add(SideFiles.leftOut(folder, LeftOut.Reason.WEIGHTS));
        return true;
      }
      for (Path entry : entries) {
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

    private boolean isOfOtherWeights(Path folder, List<Path> entries) {
      return OtherWeights.isNamed(name(folder))
          || !modules.contains(folder)
              && entries.size() <= MOST_FILES
              && entries.stream().noneMatch(entry -> name(entry).endsWith(".py"))
              && entries.stream()
                  .anyMatch(entry -> !name(entry).startsWith(".") && OtherWeights.is(entry));
    }

    private Optional<LeftOut.Reason> reason(Path entry) throws IOException {
      String name = name(entry);
      if (name.startsWith(".")) {
        return Optional.of(LeftOut.Reason.HIDDEN);
      }
      if (OtherWeights.isNamed(name)
          ? !ModuleFolders.isWeights(entry, modules)
          : Files.isRegularFile(entry) && OtherWeights.is(entry)) {
        return Optional.of(LeftOut.Reason.WEIGHTS);
      }
      if (!Files.isRegularFile(entry)) {
        return Optional.of(LeftOut.Reason.NO_FILE);
      }
      if (Files.size(entry) > LARGEST) {
        return Optional.of(LeftOut.Reason.LARGE);
      }
      return descriptionsStay ? Optional.empty() : Descriptions.of(entry);
    }
  }

  private static boolean isFolder(Path entry) {
    return Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS) && !name(entry).startsWith(".");
  }

  private static List<Path> entries(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.sorted().toList();
    }
  }

  private static String name(Path path) {
    return Objects.requireNonNull(path.getFileName()).toString();
  }
}
