package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.Progress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Writes a finished result as an ordinary checkpoint that any program can load: the effective weights in the source's
 * types and orders, rounded to nearest even, under the source's names, in the source's files, with its side files and
 * aliases. Where the source was itself quantized, its tensors become BF16 as {@link DenseForm} says, and config.json
 * speaks of no quantization. Streams in the memory of {@link ResultReader} and some MB; a matrix that is stored as [in,
 * out] needs as much room again on the disk for a while.
 */
public final class DenseExport {
  private static final String CONFIG = "config.json";
  private static final String SINGLE = "model.safetensors";

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
    List<Manifest.TensorEntry> tensors = new ArrayList<>();
    Map<String, TensorHeader> headers = new HashMap<>();
    boolean wasQuantized = false;
    for (Manifest.TensorEntry tensor : result.tensors()) {
      TensorHeader header = result.header(tensor.name());
      if (!header.isConsumed()) {
        tensors.add(tensor);
        headers.put(tensor.name(), header);
        wasQuantized |= DenseForm.isUnpacked(layouts.apply(header));
      }
    }
    for (Manifest.SideFileEntry file : result.manifest().sideFiles()) {
      stop.check();
      Path from = result.folder().resolve(file.path());
      if (wasQuantized && file.path().equals(CONFIG)) {
        folder.copyConfig(from, file);
      } else {
        folder.copy(from, file);
      }
    }
    Map<String, Entry> dense = new HashMap<>();
    Map<String, String> sources = new HashMap<>();
    for (Manifest.TensorEntry tensor : tensors) {
      TensorHeader header = Objects.requireNonNull(headers.get(tensor.name()));
      Entry entry = DenseForm.of(layouts.apply(header), tensor.name(), tensor.dtype(), header.meaning());
      dense.put(tensor.name(), entry);
      String other = sources.put(entry.name(), tensor.name());
      if (other != null) {
        throw new EngineException(
            FailureKind.RESULT,
            result.folder() + ": " + other + " and " + tensor.name() + " would both be exported as " + entry.name(),
            "Quantize with --exclude for one of them.");
      }
    }
    Map<String, String> aliases = new HashMap<>(result.manifest().aliases());
    aliases.replaceAll((alias, stored) -> dense.containsKey(stored) ? dense.get(stored).name() : stored);
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer = ShardedWriter.create(folder.path(), shards(tensors, dense), aliases)) {
      WeightEncoder encoder = new WeightEncoder(arena);
      for (Entry tensor : writer.order()) {
        stop.check();
        String source = Objects.requireNonNull(sources.get(tensor.name()));
        append(source, tensor, encoder, folder.path(), bytes -> writer.append(tensor.name(), bytes));
        progress.advanced(tensor.bytes() / tensor.dtype().bytes());
      }
      writer.finish();
    }
  }

  /** The source's files; a single one gets the name that loaders look for without an index. */
  static List<ShardedWriter.Shard> shards(List<Manifest.TensorEntry> tensors, Map<String, Entry> dense) {
    Map<String, List<Entry>> files = new LinkedHashMap<>();
    for (Manifest.TensorEntry tensor : tensors) {
      files.computeIfAbsent(tensor.file(), file -> new ArrayList<>())
          .add(Objects.requireNonNull(dense.get(tensor.name())));
    }
    boolean single = files.size() == 1;
    return files.entrySet().stream()
        .map(file -> new ShardedWriter.Shard(single ? SINGLE : file.getKey(), file.getValue()))
        .toList();
  }

  private void append(
      String source, Entry tensor, WeightEncoder encoder, Path folder, Consumer<MemorySegment> consumer) {
    TensorHeader header = result.header(source);
    if (header.isRaw()) {
      result.forEachRaw(source, (offset, bytes) -> {
        stop.check();
        consumer.accept(bytes);
      });
    } else if (DenseForm.isTurned(layouts.apply(header))) {
      try (TurnedTensor turned = new TurnedTensor(folder, tensor, encoder, consumer)) {
        result.forEachSlab(source, (firstRow, weights) -> {
          stop.check();
          turned.put(firstRow, weights);
        });
      }
    } else {
      result.forEachSlab(source, (firstRow, weights) -> {
        stop.check();
        encoder.encode(tensor, firstRow, weights, consumer);
      });
    }
  }
}
