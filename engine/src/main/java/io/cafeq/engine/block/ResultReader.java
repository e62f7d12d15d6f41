package io.cafeq.engine.block;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.text.Shell;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A finished result: its tensors as what a model would compute with, or as they are stored, from
 * where other formats are made without rounding again. Streams in bounded native memory: the
 * largest row of a unit's file, at most 64 MiB, and about 8 MiB of weights. Used by the thread that
 * opened it. What is wrong with the files is an EngineException of kind RESULT, met when the part
 * is read; {@link ResultVerifier} looks at everything.
 */
public final class ResultReader implements AutoCloseable {
  /**
   * Takes rows [firstRow, firstRow + weights.rows) of a tensor, counted through all experts;
   * borrowed during the call.
   */
  @FunctionalInterface
  public interface WeightConsumer {
    void accept(long firstRow, FloatMatrix weights);
  }

  /** Takes bytes from {@code offset} of a tensor on; borrowed during the call. */
  @FunctionalInterface
  public interface ByteConsumer {
    void accept(long offset, MemorySegment bytes);
  }

  /**
   * Takes rows [firstRow, firstRow + slab.rows) of a tensor, counted through all experts, as they
   * are stored. They are within one expert, and {@code coding} is that of all. The slab's segments
   * are borrowed during the call; nothing of another tensor may be asked for meanwhile.
   */
  @FunctionalInterface
  public interface SlabConsumer {
    void accept(long firstRow, TensorHeader.Coding coding, EncodedSlab slab);
  }

  /** Takes a block of an inverse transform, and how the rows that are asked for use it. */
  @FunctionalInterface
  public interface BlockConsumer {
    void accept(TensorHeader.TransformUse use, StoredTransform block);
  }

  private static final String CONFIG = "config.json";

  /** A unit's file with the buffers for its weights. */
  private record OpenUnit(
      String id, UnitFileReader reader, Arena arena, WeightPieces pieces, WeightRows rows) {
    void close() {
      arena.close();
      reader.close();
    }
  }

  private final Path folder;
  private final Manifest manifest;
  private final Map<String, Manifest.TensorEntry> tensors;
  private final Map<String, Manifest.UnitEntry> units = new HashMap<>();
  private @Nullable OpenUnit open;

  private ResultReader(Path folder, Manifest manifest) {
    this.folder = folder;
    this.manifest = manifest;
    this.tensors = manifest.tensorsByName();
    manifest.units().forEach(unit -> units.put(unit.id(), unit));
  }

  /** Kind RESULT where the folder has no manifest: it is then partial, or no result at all. */
  public static ResultReader open(Path folder) {
    return new ResultReader(folder, Manifest.read(folder));
  }

  public Path folder() {
    return folder;
  }

  public Manifest manifest() {
    return manifest;
  }

  /** In the source's order, without aliases. */
  public List<Manifest.TensorEntry> tensors() {
    return manifest.tensors();
  }

  /** How the tensor (or what the alias stands for) is stored. */
  public TensorHeader header(String tensor) {
    Manifest.TensorEntry entry = entry(tensor);
    return unit(entry).reader().header().tensor(entry.name());
  }

  /** The effective weights of a quantized tensor, or of what the alias stands for, in row order. */
  public void forEachSlab(String tensor, WeightConsumer consumer) {
    Manifest.TensorEntry entry = entry(tensor);
    quantized(tensor);
    unit(entry)
        .pieces()
        .forEach(entry.name(), (channel, weights, slab) -> consumer.accept(channel, weights));
  }

  /**
   * The bytes of a tensor that is not quantized, or of what the alias stands for, in order: the
   * source's, or those of a bias that the transform of a pair was folded into.
   */
  public void forEachRaw(String tensor, ByteConsumer consumer) {
    Manifest.TensorEntry entry = entry(tensor);
    if (!header(tensor).isRaw()) {
      throw new IllegalArgumentException(tensor + " has no bytes of its own; read its weights");
    }
    unit(entry)
        .reader()
        .forEachRaw(entry.name(), raw -> consumer.accept(raw.byteOffset(), raw.bytes()));
  }

  /**
   * Rows [firstRow, firstRow + target.rows) of a quantized tensor's effective weights, counted
   * through all experts. Cheap where rows are asked for in order; takes room for one output-side
   * block more.
   */
  public void readRows(String tensor, long firstRow, FloatMatrix target) {
    Manifest.TensorEntry entry = entry(tensor);
    TensorHeader header = quantized(tensor);
    if (target.columns() != header.columns()) {
      throw new IllegalArgumentException(
          "rows of " + tensor + " do not have " + target.columns() + " columns");
    }
    Objects.checkFromIndexSize(firstRow, target.rows(), header.allRows());
    unit(entry).rows().read(entry.name(), firstRow, target);
  }

  /**
   * Codes, scales, zero points and exponents of rows [firstRow, firstRow + rows), counted through
   * all experts, as they are stored, in order; {@code GridValues} makes numbers of them. A slab has
   * the errors of the whole slab in the file.
   */
  public void forEachStored(String tensor, long firstRow, long rows, SlabConsumer consumer) {
    Manifest.TensorEntry entry = entry(tensor);
    TensorHeader header = quantized(tensor);
    Objects.checkFromIndexSize(firstRow, rows, header.allRows());
    UnitFileReader reader = unit(entry).reader();
    long end = firstRow + rows;
    for (long row = firstRow; row < end; ) {
      UnitRow.Slab stored = reader.slab(entry.name(), row);
      int within = Math.toIntExact(row - header.overall(stored.expert(), stored.firstRow()));
      int count = (int) Math.min(stored.slab().rows() - within, end - row);
      consumer.accept(
          row, header.sectionOf(row).orElseThrow().coding(), stored.slab().slice(within, count));
      row += count;
    }
  }

  /**
   * The blocks of the inverse transforms that rows [firstRow, firstRow + rows) need, as they are
   * stored: by section, within it by channel. On the input side these are all blocks of the
   * transform, on the output side those that have some of the rows. Where several sections share a
   * transform it is given once. None where no online transform is used.
   */
  public void forEachBlock(String tensor, long firstRow, long rows, BlockConsumer consumer) {
    Manifest.TensorEntry entry = entry(tensor);
    TensorHeader header = quantized(tensor);
    Objects.checkFromIndexSize(firstRow, rows, header.allRows());
    UnitFileReader reader = unit(entry).reader();
    Set<String> given = new HashSet<>();
    for (TensorHeader.Section section : header.sections()) {
      long first = Math.max(firstRow, section.firstRow());
      long end = Math.min(firstRow + rows, section.end());
      TensorHeader.TransformUse use = section.coding().transform();
      if (first >= end || use == null) {
        continue;
      }
      switch (use.side()) {
        case INPUT -> {
          if (given.add(use.key())) {
            reader.forEachBlock(
                use.key(), 0, header.columns(), block -> consumer.accept(use, block));
          }
        }
        case OUTPUT ->
            reader.forEachBlock(use.key(), first, end, block -> consumer.accept(use, block));
      }
    }
  }

  /**
   * The scales of the input channels of a row, counted through all experts: what {@link
   * #forEachStored} and {@link #forEachBlock} give for it stands for the weights times these. Empty
   * where there are none.
   */
  public Optional<ColumnScales> columnScales(String tensor, long row) {
    Manifest.TensorEntry entry = entry(tensor);
    return quantized(tensor)
        .sectionOf(row)
        .map(section -> section.coding().columnScales())
        .map(key -> unit(entry).reader().columnScales(key));
  }

  /** Whether some row of the tensor has a power of two beside its scales. */
  public boolean hasExponents(String tensor) {
    Manifest.TensorEntry entry = entry(tensor);
    return unit(entry).reader().hasExponents(entry.name());
  }

  /** Fills {@code target} with bytes of a tensor that is not quantized, from {@code offset} on. */
  public void readRaw(String tensor, long offset, MemorySegment target) {
    Manifest.TensorEntry entry = entry(tensor);
    if (!header(tensor).isRaw()) {
      throw new IllegalArgumentException(tensor + " has no bytes of its own; read its weights");
    }
    unit(entry).reader().readRaw(entry.name(), offset, target);
  }

  /** The source's config.json; an empty object where it had none. */
  public JsonNode config() {
    Path path = folder.resolve(CONFIG);
    if (manifest.sideFiles().stream().noneMatch(file -> file.path().equals(CONFIG))) {
      return JsonNodeFactory.instance.objectNode();
    }
    try {
      return JsonText.tree(Files.readAllBytes(path));
    } catch (JsonProcessingException e) {
      throw new EngineException(
          FailureKind.RESULT,
          path + ": is not JSON: " + JsonText.fault(e),
          "Copy it again from the checkpoint, or run the same quantize command again.",
          e);
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    }
  }

  @Override
  public void close() {
    if (open != null) {
      open.close();
      open = null;
    }
  }

  private TensorHeader quantized(String tensor) {
    TensorHeader header = header(tensor);
    if (!header.isQuantized()) {
      throw new IllegalArgumentException(tensor + " is not quantized; read its bytes");
    }
    return header;
  }

  private Manifest.TensorEntry entry(String name) {
    String stored = manifest.aliases().getOrDefault(name, name);
    Manifest.TensorEntry entry = tensors.get(stored);
    if (entry == null) {
      throw new EngineException(
          FailureKind.USAGE,
          folder + " has no tensor " + name,
          "\"cafeq inspect --all " + Shell.quoted(folder) + "\" lists its tensors.");
    }
    return entry;
  }

  private OpenUnit unit(Manifest.TensorEntry tensor) {
    OpenUnit current = open;
    if (current != null && current.id().equals(tensor.unit())) {
      return current;
    }
    close();
    Manifest.UnitEntry entry = Objects.requireNonNull(units.get(tensor.unit()));
    UnitFileReader reader = UnitFileReader.open(folder.resolve(entry.file()));
    try {
      UnitAgreement.check(manifest, tensors, entry, reader);
    } catch (RuntimeException e) {
      reader.close();
      throw e;
    }
    Arena arena = Arena.ofConfined();
    OpenUnit opened =
        new OpenUnit(
            tensor.unit(),
            reader,
            arena,
            new WeightPieces(reader, arena),
            new WeightRows(reader, arena));
    open = opened;
    return opened;
  }
}
