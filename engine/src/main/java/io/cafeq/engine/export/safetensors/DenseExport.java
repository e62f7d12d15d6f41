package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportOptions;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.NoOptions;
import io.cafeq.engine.failure.StopFlag;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

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
    return export().write(result, folder, stop, progress);
  }

  @Override
  public void prove(ResultReader result, Path folder, NoOptions options, StopFlag stop) {
    new ExportProof(
            export(),
            (written, name, columns, firstRow, target) -> {
              throw new IllegalStateException("nothing is packed");
            })
        .check(result, folder, stop);
  }

  private SafetensorsExport export() {
    return new SafetensorsExport(layouts, WeightPacking.DENSE, UnaryOperator.identity());
  }
}
