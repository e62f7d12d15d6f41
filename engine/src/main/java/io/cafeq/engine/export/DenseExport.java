package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.Progress;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a finished result as an ordinary checkpoint that any program can load: the effective weights in the source's
 * types, rounded to nearest even, under the source's names, in the source's files, with its side files and aliases.
 * Streams in the memory of {@link ResultReader} and a few hundred KB.
 */
public final class DenseExport {
  private static final String SINGLE = "model.safetensors";

  private final ResultReader result;
  private final StopFlag stop;
  private final Progress progress;

  private DenseExport(ResultReader result, StopFlag stop, Progress progress) {
    this.result = result;
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
    try (ResultReader result = ResultReader.open(resultFolder);
        ExportFolder folder = ExportFolder.create(target, resultFolder)) {
      new DenseExport(result, stop, progress).write(folder);
      folder.publish();
    }
  }

  private void write(ExportFolder folder) {
    for (Manifest.SideFileEntry file : result.manifest().sideFiles()) {
      stop.check();
      folder.copy(result.folder().resolve(file.path()), file);
    }
    List<ShardedWriter.Shard> shards = shards(result.tensors());
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer = ShardedWriter.create(folder.path(), shards, result.manifest().aliases())) {
      WeightEncoder encoder = new WeightEncoder(arena);
      for (Entry tensor : writer.order()) {
        stop.check();
        append(writer, tensor, encoder);
        progress.advanced(tensor.bytes() / tensor.dtype().bytes());
      }
      writer.finish();
    }
  }

  /** The source's files; a single one gets the name that loaders look for without an index. */
  static List<ShardedWriter.Shard> shards(List<Manifest.TensorEntry> tensors) {
    Map<String, List<Entry>> files = new LinkedHashMap<>();
    for (Manifest.TensorEntry tensor : tensors) {
      files.computeIfAbsent(tensor.file(), file -> new ArrayList<>())
          .add(new Entry(tensor.name(), tensor.dtype(), tensor.shape()));
    }
    boolean single = files.size() == 1;
    return files.entrySet().stream()
        .map(file -> new ShardedWriter.Shard(single ? SINGLE : file.getKey(), file.getValue()))
        .toList();
  }

  private void append(ShardedWriter writer, Entry tensor, WeightEncoder encoder) {
    if (result.header(tensor.name()).isRaw()) {
      result.forEachRaw(tensor.name(), (offset, bytes) -> {
        stop.check();
        writer.append(tensor.name(), bytes);
      });
    } else {
      result.forEachSlab(tensor.name(), (firstRow, weights) -> {
        stop.check();
        encoder.encode(tensor, firstRow, weights, piece -> writer.append(tensor.name(), piece));
      });
    }
  }
}
