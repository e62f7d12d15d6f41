package io.cafeq.engine.export.dense;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Descriptions;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.LeftOut;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportOptions;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.export.NoOptions;
import io.cafeq.engine.export.SideFileCopy;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.store.FolderStore;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
public final class DenseExport implements ExportFormat<NoOptions> {
  private static final long LARGEST_CONFIG = 16L << 20;

  private final Function<TensorHeader, LayoutKind> layouts;

  public DenseExport() {
    this(TensorHeader::layout);
  }

  /**
   * @param layouts which layout a tensor's source had; those that keep their bytes are plain
   */
  DenseExport(Function<TensorHeader, LayoutKind> layouts) {
    this.layouts = layouts;
  }

  @Override
  public String id() {
    return "dense";
  }

  @Override
  public String description() {
    return "an ordinary safetensors checkpoint of the effective weights, in the source's types and"
        + " names";
  }

  @Override
  public List<ExportOption> options() {
    return List.of();
  }

  @Override
  public NoOptions read(ExportOptions given) {
    return new NoOptions();
  }

  @Override
  public ExportCheck check(ResultReader result, NoOptions options) {
    return ExportCheck.carriesAll(result);
  }

  @Override
  public Exported write(
      ResultReader result, Path folder, NoOptions options, StopFlag stop, ExportProgress progress) {
    List<DenseTensors.Held> held =
        result.tensors().stream()
            .map(tensor -> new DenseTensors.Held(tensor, result.header(tensor.name())))
            .toList();
    DenseContents contents =
        DenseContents.of(held, layouts, result.config(), new RawTensors(result));
    progress.begin(contents.entries().stream().mapToLong(DenseExport::weights).sum());
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

  private static long weights(Entry entry) {
    return entry.bytes() / entry.dtype().bytes();
  }

  /** Results made by earlier versions can hold files that none takes along any more. */
  private static List<LeftBehind> sideFile(
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
      return DenseConfig.write(result, file, folder);
    }
    SideFileCopy.copy(result, file, folder);
    return List.of();
  }
}
