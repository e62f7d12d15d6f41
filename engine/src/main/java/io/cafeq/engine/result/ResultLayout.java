package io.cafeq.engine.result;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Places everything in a result's folder; no other class knows these names:
 *
 * <pre>
 * manifest.json          what the result consists of; written last
 * report.json            what was measured, and what failed
 * units/ID.arrow         finished units
 * statistics/            tokens.json, and layer-00000.safetensors per layer
 * .cafeq/                lock, identity.json, plan.json, and scratch files of a running job
 * </pre>
 *
 * A file that is being written has {@code .part} appended to its name. Paths that a manifest or a
 * receipt states are relative, with forward slashes. Opens nothing.
 *
 * @param root the result's folder
 */
public record ResultLayout(Path root) {
  public static final String MANIFEST = "manifest.json";
  public static final String REPORT = "report.json";

  private static final String UNITS = "units";
  private static final String UNIT = ".arrow";
  private static final String STATISTICS = "statistics";
  private static final String TOKENS = "tokens.json";
  private static final String VECTORS = "vectors.safetensors";
  private static final String OWN = ".cafeq";
  private static final String PART = ".part";
  private static final String ASIDE = ".first" + PART;
  private static final String SCRATCH = ".scratch";
  private static final Set<String> RESERVED = Set.of(MANIFEST, REPORT, UNITS, STATISTICS, OWN);

  /** The name of a unit's file, relative to the root. */
  public static String unitName(String id) {
    return UNITS + "/" + id + UNIT;
  }

  /** The name of a file of statistics, relative to the root. */
  public static String statisticsName(String fileName) {
    return STATISTICS + "/" + fileName;
  }

  /** The file's name in the folder of statistics; empty for a path that is not below it. */
  public static Optional<String> inStatistics(String path) {
    String folder = STATISTICS + "/";
    return path.startsWith(folder)
        ? Optional.of(path.substring(folder.length()))
        : Optional.empty();
  }

  /** The name of a layer's file in a folder of statistics. */
  public static String layerName(int layer) {
    return "layer-%05d.safetensors".formatted(layer);
  }

  /** The name of the tokens' file in a folder of statistics. */
  public static String tokensName() {
    return TOKENS;
  }

  /** The name of the file in a folder of statistics that is there while layers are estimated. */
  public static String vectorsName() {
    return VECTORS;
  }

  /** Where a file is written before it gets its name. */
  public static Path part(Path file) {
    return file.resolveSibling(file.getFileName() + PART);
  }

  /** The name that a file gets when it is complete; empty for one that is not being written. */
  public static Optional<String> completeName(String fileName) {
    return fileName.endsWith(PART)
        ? Optional.of(fileName.substring(0, fileName.length() - PART.length()))
        : Optional.empty();
  }

  /** A file in {@code folder} that is of no use once its process has ended. */
  public static Path scratch(Path folder, String name) {
    return folder.resolve(name + SCRATCH);
  }

  public static boolean isScratch(Path file) {
    return fileName(file).endsWith(SCRATCH);
  }

  /** Whether a result needs the path, or the folder that it is in, for itself. */
  public static boolean isReserved(Path relative) {
    return RESERVED.contains(relative.getName(0).toString());
  }

  public Path manifest() {
    return root.resolve(MANIFEST);
  }

  public Path report() {
    return root.resolve(REPORT);
  }

  public Path units() {
    return root.resolve(UNITS);
  }

  /** A unit's finished file. */
  public Path unit(String id) {
    return units().resolve(id + UNIT);
  }

  /** A unit's first file while a second one is made from it. */
  public Path unitAside(String id) {
    return units().resolve(id + UNIT + ASIDE);
  }

  public Path statistics() {
    return root.resolve(STATISTICS);
  }

  /** The folder for what only this program needs. */
  public Path own() {
    return root.resolve(OWN);
  }

  /** Names the process that writes the result. */
  public Path lock() {
    return own().resolve("lock");
  }

  /** States what the units were made from. */
  public Path identity() {
    return own().resolve("identity.json");
  }

  /** Keeps what was measured and chosen for the job. */
  public Path plan() {
    return own().resolve("plan.json");
  }

  /** Whether a job has finished here. */
  public boolean isComplete() {
    return Files.isRegularFile(manifest());
  }

  /**
   * Whether the folder is a result, finished or not, and no checkpoint that is beside such files.
   */
  public boolean isResult() {
    return Files.isDirectory(units()) && (Files.exists(manifest()) || Files.isDirectory(own()));
  }

  private static String fileName(Path file) {
    return Objects.requireNonNull(file.getFileName()).toString();
  }
}
