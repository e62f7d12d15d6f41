package io.cafeq.engine.report;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The checkpoint that was read.
 *
 * @param path its folder, real path
 * @param family the model family
 * @param shards weight files in order
 * @param tensors SHA-256 of each source tensor's bytes, for the tensors of the units that are there
 */
public record Source(
    String path, String family, List<Shard> shards, SortedMap<String, String> tensors) {
  public Source {
    shards = List.copyOf(shards);
    tensors = new TreeMap<>(tensors);
  }

  /** One weight file. */
  public record Shard(String name, long bytes) {}
}
