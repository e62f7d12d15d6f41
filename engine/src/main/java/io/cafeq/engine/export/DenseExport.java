package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Descriptions;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.LeftOut;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.store.FolderStore;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Writes a finished result as an ordinary checkpoint that any program can load: the effective
 * weights in the source's types and orders, rounded to nearest even, under the source's names, in
 * the source's files, with its side files and aliases. Where the source was itself quantized, its
 * tensors become BF16 as {@link DenseForm} says, those too that kept their bytes, and no file
 * speaks of its quantization: no section of config.json, no file of its own, no scale that is left
 * over. Only where weights stay that cannot be read does all that stay with them. Streams in the
 * memory of {@link ResultReader} and some MB; a matrix that is stored as [in, out], or unpacked
 * here, needs its room again on the disk for a while.
 */
public final class DenseExport {
  private static final long LARGEST_CONFIG = 16L << 20;

  private final ResultReader result;
  private final Function<TensorHeader, LayoutKind> layouts;
  private final StopFlag stop;
  private final Progress progress;

  private DenseExport(
      ResultReader result,
      Function<TensorHeader, LayoutKind> layouts,
      StopFlag stop,
      Progress progress) {
    this.result = result;
    this.layouts = layouts;
    this.stop = stop;
    this.progress = progress;
  }

  /**
   * Makes the checkpoint {@code target}, which must not exist or be empty and must lie apart from
   * the result: USAGE otherwise. All is written to a folder beside it that takes its name when
   * complete, so that an export that was killed is never taken for a checkpoint. Kind RESULT where
   * the result is partial or damaged, or a weight does not fit its type; ENVIRONMENT where the disk
   * fails.
   */
  public static Exported run(Path resultFolder, Path target, StopFlag stop, Progress progress) {
    return run(resultFolder, TensorHeader::layout, target, stop, progress);
  }

  /**
   * {@code layouts} says which layout a tensor's source had; those that keep their bytes are plain.
   */
  static Exported run(
      Path resultFolder,
      Function<TensorHeader, LayoutKind> layouts,
      Path target,
      StopFlag stop,
      Progress progress) {
    try (ResultReader result = ResultReader.open(resultFolder);
        ExportFolder folder = ExportFolder.create(target, resultFolder)) {
      Exported exported = new DenseExport(result, layouts, stop, progress).write(folder);
      folder.publish();
      return exported;
    }
  }

  private Exported write(ExportFolder folder) {
    List<DenseTensors.Held> held =
        result.tensors().stream()
            .map(tensor -> new DenseTensors.Held(tensor, result.header(tensor.name())))
            .toList();
    DenseContents contents =
        DenseContents.of(held, layouts, result.config(), new RawTensors(result));
    List<LeftBehind> leftBehind = new ArrayList<>(contents.leftBehind());
    for (Manifest.SideFileEntry file : result.manifest().sideFiles()) {
      stop.check();
      leftBehind.addAll(sideFile(file, contents.staysQuantized(), folder));
    }
    DenseTensors tensors = contents.tensors();
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer =
            ShardedWriter.create(
                folder.path(), tensors.shards(), contents.aliases(result.manifest()))) {
      WeightEncoder encoder = new WeightEncoder(arena);
      for (Entry entry : writer.order()) {
        stop.check();
        append(
            tensors.tensor(entry.name()),
            encoder,
            folder.path(),
            bytes -> writer.append(entry.name(), bytes));
        progress.advanced(entry.bytes() / entry.dtype().bytes());
      }
      writer.finish();
    }
    List<Entry> written = contents.entries();
    long bytes = written.stream().mapToLong(Entry::bytes).sum();
    return new Exported(written.size(), bytes, leftBehind, contents.warnings());
  }

  /** Results made by earlier versions can hold files that none takes along any more. */
  private List<LeftBehind> sideFile(
      Manifest.SideFileEntry file, boolean descriptionsStay, ExportFolder folder) {
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
      return folder.copyConfig(from, file);
    }
    folder.copy(from, file);
    return List.of();
  }

  private void append(
      DenseTensors.Outgoing tensor,
      WeightEncoder encoder,
      Path folder,
      Consumer<MemorySegment> bytes) {
    if (tensor.isRaw()) {
      result.forEachRaw(
          tensor.source(),
          (offset, piece) -> {
            stop.check();
            bytes.accept(piece);
          });
    } else if (DenseForm.isTurned(tensor.layout())) {
      try (TurnedTensor turned = new TurnedTensor(folder, tensor.entry(), encoder, bytes)) {
        weights(tensor, turned::put);
      }
    } else {
      weights(
          tensor, (firstRow, weights) -> encoder.encode(tensor.entry(), firstRow, weights, bytes));
    }
  }

  private void weights(DenseTensors.Outgoing tensor, ResultReader.WeightConsumer consumer) {
    if (tensor.packed() != null) {
      PackedTensor.forEachSlab(result, tensor.packed(), stop, consumer);
    } else {
      result.forEachSlab(
          tensor.source(),
          (firstRow, weights) -> {
            stop.check();
            consumer.accept(firstRow, weights);
          });
    }
  }
}
