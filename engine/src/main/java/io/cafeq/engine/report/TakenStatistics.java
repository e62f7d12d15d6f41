package io.cafeq.engine.report;

import java.util.List;

/**
 * The statistics of the matrices' inputs that a result was made with.
 *
 * @param asked where the tokens were to come from
 * @param source where they came from
 * @param tokens that went through the model
 * @param window tokens that saw one another
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
