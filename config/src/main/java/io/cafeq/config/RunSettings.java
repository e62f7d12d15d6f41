package io.cafeq.config;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Settings that do not change the bytes of a result: the keys of {@code run} in {@code
 * reference.conf}, which explains each. An empty optional is {@code auto}.
 *
 * @param maxMemory bytes, at least {@link #LEAST_MEMORY}
 * @param backend the name of a compute backend
 * @param minimumCoverage part of the repeated layers' matrix weights, from 0 to 1
 */
public record RunSettings(
    OptionalLong maxMemory,
    OptionalInt lanes,
    Optional<String> backend,
    boolean verify,
    Optional<ProgressStyle> progress,
    double minimumCoverage) {

  /** Bytes that the heap, the libraries and one lane need. */
  public static final long LEAST_MEMORY = 768L << 20;

  /** The settings of {@code reference.conf}. */
  public static RunSettings defaults() {
    return Settings.load(Optional.empty(), new TreeMap<>()).run();
  }

  /**
   * The memory cap in bytes: as set, else a quarter of the machine's memory, but never below {@link
   * #LEAST_MEMORY}.
   */
  public long resolvedMaxMemory() {
    return maxMemory.isPresent()
        ? maxMemory.getAsLong()
        : Math.max(LEAST_MEMORY, MachineMemory.totalBytes() / 4);
  }

  /** Lanes as set, else one for each processor. */
  public int resolvedLanes() {
    return lanes.orElseGet(() -> Math.min(1024, Runtime.getRuntime().availableProcessors()));
  }

  SortedMap<String, String> entries() {
    SortedMap<String, String> entries = new TreeMap<>();
    entries.put(
        "max-memory",
        maxMemory.isPresent()
            ? Long.toString(maxMemory.getAsLong())
            : CanonicalText.quoted("auto"));
    entries.put("lanes", CanonicalText.numberOr(lanes, "auto"));
    entries.put("backend", CanonicalText.wordOr(backend, "auto"));
    entries.put("verify", Boolean.toString(verify));
    entries.put("minimum-coverage", CanonicalText.plain(minimumCoverage));
    entries.put("progress", CanonicalText.wordOr(progress, "auto"));
    return entries;
  }
}
