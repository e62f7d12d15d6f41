package io.cafeq.tools;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The contents of a checkpoint, from its headers.
 *
 * @param modelType of config.json, or empty
 * @param parameters elements of all tensors, tied ones counted once
 * @param sideFiles files that are copied to results, relative to the folder
 * @param leftOut files and folders that are not copied, relative to the folder
 * @param leftOutReasons why, for each
 */
record CheckpointSummary(
    String kind,
    String path,
    String modelType,
    long parameters,
    long bytes,
    List<Shard> shards,
    SortedMap<String, DtypeTotal> dtypes,
    SortedMap<String, String> aliases,
    List<String> sideFiles,
    List<String> leftOut,
    SortedMap<String, String> leftOutReasons,
    List<Tensor> tensors) {

  /** One weight file with its length. */
  record Shard(String name, long bytes, long tensors) {}

  /** What the tensors of one type add up to. */
  record DtypeTotal(long tensors, long elements, long bytes) {
    DtypeTotal plus(TensorInfo tensor) {
      return new DtypeTotal(tensors + 1, elements + tensor.elements(), bytes + tensor.bytes());
    }
  }

  /** One tensor. */
  record Tensor(String name, String dtype, List<Long> shape, String file, long bytes) {}

  static CheckpointSummary of(Checkpoint checkpoint) {
    SortedMap<String, DtypeTotal> dtypes = new TreeMap<>();
    SortedMap<String, Long> tensorsOfShards = new TreeMap<>();
    for (TensorInfo tensor : checkpoint.tensors()) {
      String dtype = tensor.dtype().name().toLowerCase(Locale.ROOT);
      dtypes.put(dtype, dtypes.getOrDefault(dtype, new DtypeTotal(0, 0, 0)).plus(tensor));
      tensorsOfShards.merge(tensor.file(), 1L, Long::sum);
    }
    SortedMap<String, String> leftOut = LeftOutText.reasons(checkpoint.leftOut());
    List<Shard> shards =
        checkpoint.shards().entrySet().stream()
            .map(
                shard ->
                    new Shard(
                        shard.getKey(),
                        shard.getValue(),
                        tensorsOfShards.getOrDefault(shard.getKey(), 0L)))
            .toList();
    return new CheckpointSummary(
        "checkpoint",
        checkpoint.location(),
        checkpoint.config().json().path("model_type").asText(""),
        checkpoint.tensors().stream().mapToLong(TensorInfo::elements).sum(),
        checkpoint.tensors().stream().mapToLong(TensorInfo::bytes).sum(),
        shards,
        dtypes,
        checkpoint.aliases(),
        checkpoint.sideFiles(),
        List.copyOf(leftOut.keySet()),
        leftOut,
        checkpoint.tensors().stream()
            .map(
                t ->
                    new Tensor(
                        t.name(),
                        t.dtype().name().toLowerCase(Locale.ROOT),
                        t.shape(),
                        t.file(),
                        t.bytes()))
            .toList());
  }

  /** Formats the summary for people; with {@code all} every tensor has a line. */
  String text(boolean all) {
    TextTable overview =
        new TextTable(2)
            .row("checkpoint", path)
            .row("model type", modelType.isEmpty() ? "unknown" : modelType)
            .row(
                "parameters",
                Amounts.count(parameters)
                    + " in "
                    + tensors.size()
                    + " tensors, "
                    + Amounts.bytes(bytes));
    dtypes.forEach(
        (dtype, total) ->
            overview.row(
                dtype,
                total.tensors()
                    + " tensors, "
                    + Amounts.count(total.elements())
                    + " elements, "
                    + Amounts.bytes(total.bytes())));
    shards.forEach(
        shard ->
            overview.row(
                shard.name(), shard.tensors() + " tensors, " + Amounts.bytes(shard.bytes())));
    aliases.forEach((alias, stored) -> overview.row("tied", alias + " is " + stored));
    overview.row("side files", sideFiles.isEmpty() ? "none" : String.join(", ", sideFiles));
    if (!leftOut.isEmpty()) {
      overview.row("left out", LeftOutText.of(leftOutReasons));
    }
    if (!all) {
      return overview.render();
    }
    TextTable table = new TextTable(3);
    tensors.forEach(
        tensor ->
            table.row(
                tensor.name(),
                tensor.dtype(),
                tensor.shape().toString(),
                Amounts.bytes(tensor.bytes())));
    return overview.render() + "\n" + table.render();
  }
}
