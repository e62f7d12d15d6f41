package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Descriptions;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.LeftOut;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.export.SideFileCopy;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.store.FolderStore;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Writes a result as a safetensors checkpoint, tensor by tensor, with its side files and aliases.
 * Quantized matrices are packed as the format does it, or are written as their effective weights.
 *
 * @param layouts which layout a tensor's source had; those that keep their bytes are plain
 * @param config adds to config.json what loaders must know, once it no longer tells of the source's
 *     quantization
 */
record SafetensorsExport(
    Function<TensorHeader, LayoutKind> layouts,
    WeightPacking packing,
    UnaryOperator<byte[]> config) {
  private static final String CONFIG = "config.json";
  private static final long LARGEST_CONFIG = 16L << 20;

  Exported write(ResultReader result, Path folder, StopFlag stop, ExportProgress progress) {
    DenseContents contents =
        DenseContents.of(held(result), layouts, packing, result.config(), new RawTensors(result));
    progress.begin(contents.entries().stream().mapToLong(SafetensorsExport::weights).sum());
    List<LeftBehind> leftBehind = new ArrayList<>(contents.leftBehind());
    for (Manifest.SideFileEntry file : result.manifest().sideFiles()) {
      stop.check();
      leftBehind.addAll(sideFile(result, file, contents.staysQuantized(), folder));
    }
    DenseTensors tensors = contents.tensors();
    int count = 0;
    long bytes = 0;
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer =
            ShardedWriter.create(folder, tensors.shards(), contents.aliases(result.manifest()))) {
      DenseWeights weights = new DenseWeights(result, new WeightEncoder(arena), folder, stop);
      for (Entry entry : writer.order()) {
        stop.check();
        weights.give(tensors.tensor(entry.name()), piece -> writer.append(entry.name(), piece));
        count++;
        bytes += entry.bytes();
        progress.advanced(weights(entry));
      }
      writer.finish();
    }
    return new Exported(count, bytes, leftBehind, contents.warnings());
  }

  List<DenseTensors.Held> held(ResultReader result) {
    return result.tensors().stream()
        .map(tensor -> new DenseTensors.Held(tensor, result.header(tensor.name())))
        .toList();
  }

  private static long weights(Entry entry) {
    return entry.bytes() / entry.dtype().bytes();
  }

  /** Results made by earlier versions can hold files that none takes along any more. */
  private List<LeftBehind> sideFile(
      ResultReader result, Manifest.SideFileEntry file, boolean descriptionsStay, Path folder) {
    Path from = result.folder().resolve(file.path());
    FolderStore files = FolderStore.open(result.folder());
    Optional<LeftOut.Reason> reason =
        descriptionsStay
            ? Optional.empty()
            : files.find(file.path()).flatMap(found -> Descriptions.of(files, found));
    if (reason.isPresent()) {
      return List.of(new LeftBehind(file.path(), reason.get().text()));
    }
    boolean isConfig =
        Descriptions.isModelConfig(String.valueOf(from.getFileName()))
            && file.bytes() <= LARGEST_CONFIG;
    if (isConfig && !descriptionsStay) {
      return DenseConfig.write(
          result, file, folder, file.path().equals(CONFIG) ? config : UnaryOperator.identity());
    }
    SideFileCopy.copy(result, file, folder);
    return List.of();
  }
}
