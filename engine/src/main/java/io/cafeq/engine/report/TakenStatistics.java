package io.cafeq.engine.report;

import java.util.List;

/**
 * The input statistics of a result.
 *
 * @param asked requested source of the calibration tokens
 * @param source actual source
 * @param calibration tokens in all
 * @param window tokens per sequence
 * @param tokensSha256 of the tokens
 * @param files that were there when the report was made
 */
public record TakenStatistics(
    String asked,
    String source,
    long tokens,
    int window,
    String tokensSha256,
    List<TakenFile> files) {
  public TakenStatistics {
    files = List.copyOf(files);
  }

  /** {@code path} is relative to the result's folder. */
  public record TakenFile(String path, long bytes, String sha256) {}
}
