package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What lies beside the weights. Along go ordinary files of at most 64 MiB: README, licence, config, tokenizer,
 * templates, code, and whatever nobody has heard of yet; also those in folders, since chat templates and
 * sub-configurations can lie there. Left out are hidden files and folders, weights of any format and their indexes,
 * larger files, linked folders (they can lead anywhere), links to nothing, and folders with more than 256 files or 8
 * levels.
 *
 * @param taken absolute paths under the folder, sorted
 * @param leftOut the same
 */
record SideFiles(List<Path> taken, List<Path> leftOut) {
  /** The largest tokenizers have about 40 MB. */
  static final long LARGEST = 64L << 20;

  private static final int MOST_FILES = 256;
  private static final int DEEPEST = 8;
  private static final Set<String> WEIGHTS = Set.of(
      "bin", "pt", "pth", "ckpt", "h5", "msgpack", "gguf", "ggml", "onnx", "onnx_data", "safetensors", "npz",
      "tflite", "ot", "mlmodel", "nemo", "keras", "pdparams");

  SideFiles {
    taken = List.copyOf(taken);
    leftOut = List.copyOf(leftOut);
  }

  static SideFiles find(CheckpointFiles checkpoint) {
    List<Path> taken = new ArrayList<>();
    List<Path> leftOut = new ArrayList<>();
    if (checkpoint.whole()) {
      try {
        for (Path entry : entries(checkpoint.folder())) {
          String name = name(entry);
          boolean isIndex = checkpoint.index() != null && name.equals(CheckpointFiles.INDEX);
          if (isIndex || checkpoint.shards().contains(name)) {
            continue;
          }
          if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS) && !name.startsWith(".")) {
            folder(entry, taken, leftOut);
          } else {
            (isTaken(entry) ? taken : leftOut).add(entry);
          }
        }
      } catch (IOException e) {
        throw new EngineException(
            FailureKind.ENVIRONMENT,
            checkpoint.folder() + ": cannot be listed: " + e,
            "Check the disk and the folder's permissions.",
            e);
      }
    }
    Collections.sort(taken);
    Collections.sort(leftOut);
    return new SideFiles(taken, leftOut);
  }

  private static void folder(Path folder, List<Path> taken, List<Path> leftOut) throws IOException {
    List<Path> inside = new ArrayList<>();
    List<Path> not = new ArrayList<>();
    if (walk(folder, 1, inside, not)) {
      taken.addAll(inside);
      leftOut.addAll(not);
    } else {
      leftOut.add(folder);
    }
  }

  private static boolean walk(Path folder, int depth, List<Path> taken, List<Path> leftOut) throws IOException {
    if (depth > DEEPEST) {
      return false;
    }
    for (Path entry : entries(folder)) {
      if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS) && !name(entry).startsWith(".")) {
        if (!walk(entry, depth + 1, taken, leftOut)) {
          return false;
        }
      } else {
        (isTaken(entry) ? taken : leftOut).add(entry);
      }
      if (taken.size() + leftOut.size() > MOST_FILES) {
        return false;
      }
    }
    return true;
  }

  private static List<Path> entries(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.sorted().toList();
    }
  }

  private static boolean isTaken(Path entry) throws IOException {
    String name = name(entry).toLowerCase(Locale.ROOT);
    return !name.startsWith(".") && !isWeights(name) && Files.isRegularFile(entry) && Files.size(entry) <= LARGEST;
  }

  /** Whether a lower-case file name is that of weights, or of an index of weights. */
  static boolean isWeights(String name) {
    String base = name.endsWith(".index.json") ? name.substring(0, name.length() - ".index.json".length()) : name;
    return WEIGHTS.contains(base.substring(base.lastIndexOf('.') + 1)) && base.contains(".");
  }

  private static String name(Path path) {
    return Objects.requireNonNull(path.getFileName()).toString();
  }
}
