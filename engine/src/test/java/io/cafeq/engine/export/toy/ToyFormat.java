package io.cafeq.engine.export.toy;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportOptions;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.export.Limit;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.StoredTransform;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Writes what a result stores into one file, some rows at a time: a tensor is its name and a mark,
 * then bytes, or blocks of transforms and slabs. {@link ToyFile} reads it.
 */
public final class ToyFormat implements ExportFormat<ToyFormat.Options> {
  static final String FILE = "result.toy";

  /** What follows in the file. */
  enum Mark {
    RAW,
    QUANTIZED,
    BLOCK,
    SLAB,
    END
  }

  /**
   * @param rows that are read at a time
   * @param strict whether only what a plain 4-bit runtime can hold is taken
   */
  public record Options(int rows, boolean strict) {}

  @Override
  public String id() {
    return "toy";
  }

  @Override
  public String description() {
    return "codes, grids and transforms in one file, for tests";
  }

  @Override
  public List<ExportOption> options() {
    return List.of(
        new ExportOption("rows", "1 to 1000", "Rows that are read at a time. Default: 7."),
        new ExportOption("strict", "true|false", "Take 4 bits only. Default: false."));
  }

  @Override
  public Options read(ExportOptions given) {
    return new Options(given.integer("rows", 1, 1000, 7), given.flag("strict", false));
  }

  @Override
  public ExportCheck check(ResultReader result, Options options) {
    return options.strict()
        ? ExportCheck.of(
            result,
            List.of(
                Limit.bits(4, 8),
                Limit.groups(16, 32),
                Limit.storages(Set.of(ScaleStorage.SYMMETRIC)),
                Limit.transforms(Set.of()),
                Limit.unscaled(),
                Limit.unfolded(),
                Limit.uniform()))
        : ExportCheck.carriesAll(result);
  }

  @Override
  public Exported write(
      ResultReader result, Path folder, Options options, StopFlag stop, ExportProgress progress) {
    Path file = folder.resolve(FILE);
    List<LeftBehind> leftBehind = new ArrayList<>();
    int count = 0;
    progress.begin(result.tensors().stream().mapToLong(tensor -> weights(result, tensor)).sum());
    try (DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
      for (Manifest.TensorEntry tensor : result.tensors()) {
        stop.check();
        switch (result.header(tensor.name()).content()) {
          case TensorHeader.Content.Kept kept -> raw(result, tensor, out);
          case TensorHeader.Content.Folded folded -> raw(result, tensor, out);
          case TensorHeader.Content.Quantized quantized ->
              quantized(result, tensor.name(), options.rows(), out);
          case TensorHeader.Content.Consumed consumed -> {
            leftBehind.add(new LeftBehind(tensor.name(), "went into the weights"));
            count--;
          }
        }
        count++;
        progress.advanced(weights(result, tensor));
      }
      out.writeByte(Mark.END.ordinal());
      out.flush();
      return new Exported(count, out.size(), leftBehind, List.of());
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  /** Weights are floats that went through the same sums in another order. */
  @Override
  public void prove(ResultReader result, Path folder, Options options, StopFlag stop) {
    try {
      ToyFile file = ToyFile.read(folder);
      file.weights()
          .forEach(
              (tensor, values) ->
                  result.forEachSlab(
                      tensor,
                      (first, weights) -> {
                        stop.check();
                        for (int i = 0; i < weights.rows(); i++) {
                          for (int j = 0; j < weights.columns(); j++) {
                            float expected = weights.get(i, j);
                            float found = values[(int) first + i][j];
                            if (Math.abs(found - expected) > 1e-5 * (1 + Math.abs(expected))) {
                              throw new EngineException(
                                  FailureKind.RESULT,
                                  folder + ": tensor " + tensor + " is not the result's",
                                  "Export it again.");
                            }
                          }
                        }
                      }));
    } catch (IOException e) {
      throw FileFailure.of("read", folder, e);
    }
  }

  private static long weights(ResultReader result, Manifest.TensorEntry tensor) {
    TensorHeader header = result.header(tensor.name());
    return header.isQuantized() ? header.allRows() * header.columns() : tensor.elements();
  }

  private static void raw(ResultReader result, Manifest.TensorEntry tensor, DataOutputStream out)
      throws IOException {
    out.writeByte(Mark.RAW.ordinal());
    out.writeUTF(tensor.name());
    out.writeInt(Math.toIntExact(result.header(tensor.name()).bytes()));
    result.forEachRaw(tensor.name(), (offset, bytes) -> unchecked(() -> out.write(array(bytes))));
  }

  private static void quantized(ResultReader result, String tensor, int rows, DataOutputStream out)
      throws IOException {
    TensorHeader header = result.header(tensor);
    out.writeByte(Mark.QUANTIZED.ordinal());
    out.writeUTF(tensor);
    out.writeInt(Math.toIntExact(header.allRows()));
    out.writeInt(header.columns());
    result.forEachBlock(
        tensor, 0, header.allRows(), (use, block) -> unchecked(() -> block(use, block, out)));
    for (long row = 0; row < header.allRows(); row += rows) {
      result.forEachStored(
          tensor,
          row,
          Math.min(rows, header.allRows() - row),
          (first, coding, slab) -> unchecked(() -> slab(first, coding, slab, out)));
    }
    out.writeByte(Mark.END.ordinal());
  }

  private static void block(
      TensorHeader.TransformUse use, StoredTransform block, DataOutputStream out)
      throws IOException {
    out.writeByte(Mark.BLOCK.ordinal());
    out.writeUTF(use.key());
    out.writeUTF(block.side().text());
    out.writeInt(block.firstChannel());
    out.writeInt(block.k());
    out.writeUTF(block.format().name());
    bytes(block.data(), out);
    for (short scale : block.scales()) {
      out.writeShort(scale);
    }
  }

  private static void slab(
      long first, TensorHeader.Coding coding, EncodedSlab slab, DataOutputStream out)
      throws IOException {
    GridSpec grid = slab.grid();
    TensorHeader.TransformUse use = coding.transform();
    out.writeByte(Mark.SLAB.ordinal());
    out.writeInt(Math.toIntExact(first));
    out.writeInt(slab.rows());
    out.writeByte(grid.bits());
    out.writeInt(grid.group());
    out.writeUTF(grid.storage().text());
    out.writeByte(grid.scaleBits());
    out.writeUTF(use == null ? "" : use.key());
    for (MemorySegment part :
        List.of(slab.codes(), slab.rowScales(), slab.scales(), slab.zeros(), slab.exponents())) {
      bytes(array(part), out);
    }
  }

  private static void bytes(byte[] bytes, DataOutputStream out) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static byte[] array(MemorySegment segment) {
    return segment.toArray(ValueLayout.JAVA_BYTE);
  }

  private interface Write {
    void run() throws IOException;
  }

  private static void unchecked(Write write) {
    try {
      write.run();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
