package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.Progress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Writes a finished result as an ordinary checkpoint that any program can load: the effective weights in the source's
 * types and orders, rounded to nearest even, under the source's names, in the source's files, with its side files and
 * aliases. Where the source was itself quantized, its tensors become BF16 as {@link DenseForm} says, those too that
 * kept their bytes, and config.json speaks of no quantization. Streams in the memory of {@link ResultReader} and some
 * MB; a matrix that is stored as [in, out], or unpacked here, needs its room again on the disk for a while.
 */
public final class DenseExport {
  private static final String CONFIG = "config.json";

  private final ResultReader result;
  private final Function<TensorHeader, LayoutKind> layouts;
  private final StopFlag stop;
  private final Progress progress;

  private DenseExport(
      ResultReader result, Function<TensorHeader, LayoutKind> layouts, StopFlag stop, Progress progress) {
    this.result = result;
    this.layouts = layouts;
    this.stop = stop;
    this.progress = progress;
  }

  /**
   * Makes the checkpoint {@code target}, which must not exist or be empty and must lie apart from the result: USAGE
   * otherwise. All is written to a folder beside it that takes its name when complete, so that an export that was
   * killed is never taken for a checkpoint. Kind RESULT where the result is partial or damaged, or a weight does not
   * fit its type; ENVIRONMENT where the disk fails.
   */
  public static void run(Path resultFolder, Path target, StopFlag stop, Progress progress) {
    run(resultFolder, TensorHeader::layout, target, stop, progress);
  }

  /** {@code layouts} says which layout a tensor's source had; those that keep their bytes are plain. */
  static void run(
      Path resultFolder, Function<TensorHeader, LayoutKind> layouts, Path target, StopFlag stop, Progress progress) {
    try (ResultReader result = ResultReader.open(resultFolder);
        ExportFolder folder = ExportFolder.create(target, resultFolder)) {
      new DenseExport(result, layouts, stop, progress).write(folder);
      folder.publish();
    }
  }

  private void write(ExportFolder folder) {
    List<DenseTensors.Held> held = result.tensors().stream()
        .map(tensor -> new DenseTensors.Held(tensor, result.header(tensor.name())))
        .toList();
    DenseTensors tensors = new DenseTensors(held, layouts, result.config(), new RawTensors(result));
    for (Manifest.SideFileEntry file : result.manifest().sideFiles()) {
      stop.check();
      Path from = result.folder().resolve(file.path());
      if (file.path().equals(CONFIG) && tensors.wereQuantized()) {
        folder.copyConfig(from, file);
      } else {
        folder.copy(from, file);
      }
    }
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer = ShardedWriter.create(
            folder.path(), tensors.shards(), tensors.aliases(result.manifest().aliases()))) {
      WeightEncoder encoder = new WeightEncoder(arena);
      for (Entry entry : writer.order()) {
        stop.check();
        append(tensors.tensor(entry.name()), encoder, folder.path(), bytes -> writer.append(entry.name(), bytes));
        progress.advanced(entry.bytes() / entry.dtype().bytes());
      }
      writer.finish();
    }
  }

  private void append(DenseTensors.Outgoing tensor, WeightEncoder encoder, Path folder, Consumer<MemorySegment> bytes) {
    if (tensor.isRaw()) {
      result.forEachRaw(tensor.source(), (offset, piece) -> {
        stop.check();
        bytes.accept(piece);
      });
    } else if (DenseForm.isTurned(tensor.layout())) {
      try (TurnedTensor turned = new TurnedTensor(folder, tensor.entry(), encoder, bytes)) {
        weights(tensor, folder, turned::put);
      }
    } else {
      weights(tensor, folder, (firstRow, weights) -> encoder.encode(tensor.entry(), firstRow, weights, bytes));
    }
  }

  private void weights(DenseTensors.Outgoing tensor, Path folder, ResultReader.WeightConsumer consumer) {
    if (tensor.packed() != null) {
      PackedTensor.forEachSlab(result, tensor.packed(), folder, stop, consumer);
    } else {
      result.forEachSlab(tensor.source(), (firstRow, weights) -> {
        stop.check();
        consumer.accept(firstRow, weights);
      });
    }
  }
}
