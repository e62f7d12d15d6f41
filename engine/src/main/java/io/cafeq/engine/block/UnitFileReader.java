package io.cafeq.engine.block;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads one unit's file without trusting it. Opening checks the header and that every row is in its
 * place exactly once; lengths and checksum of a row are checked when it is given out. Everything
 * wrong is an {@link EngineException} of kind RESULT. Holds as much native memory as the largest
 * row and one batch of transforms take; used by the thread that opened it.
 */
public final class UnitFileReader implements AutoCloseable {
  private final ArrowFile file;
  private final UnitMetadata.Contents contents;
  private final List<BatchLayout> layouts = new ArrayList<>();
  private final List<RowIndex.Entry> entries = new ArrayList<>();
  private final RowIndex index;
  private final Arena arena = Arena.ofConfined();
  private final RowPayloads payloads;
  private final Map<Long, Long> rawPositions = new HashMap<>();
  private final Map<String, ColumnScales> scales = new HashMap<>();
  private UnitRow.@Nullable Slab lastSlab;
  private long lastSlabNumber = -1;

  private UnitFileReader(ArrowFile file) {
    this.file = file;
    this.contents = UnitMetadata.read(file);
    BatchEntries reader = new BatchEntries(file, contents.header().names());
    for (int i = 0; i < file.batches(); i++) {
      BatchLayout layout = file.batch(i);
      layouts.add(layout);
      reader.addTo(entries, i, layout);
    }
    this.index = RowIndex.of(file.damage(), contents.header(), entries);
    this.payloads = new RowPayloads(file, contents.header(), layouts, entries, index, arena);
  }

  public static UnitFileReader open(Path path) {
    ArrowFile file = ArrowFile.open(path);
    try {
      return file.guarded(() -> new UnitFileReader(file));
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  public Path file() {
    return file.damage().file();
  }

  public UnitHeader header() {
    return contents.header();
  }

  /** SHA-256 of each source tensor's bytes, by tensor name. */
  public SortedMap<String, String> sourceHashes() {
    return contents.sources();
  }

  /** What was measured when the unit was made; null for copied units. */
  public @Nullable UnitFigures figures() {
    return contents.figures();
  }

  /** Bytes of the file. */
  public long bytes() {
    return file.size();
  }

  /** All rows in the file's order; exponents come with the slab that they belong to. */
  public void forEach(Consumer<UnitRow> consumer) {
    for (RowIndex.Entry entry : entries) {
      switch (entry.kind()) {
        case TRANSFORM ->
            consumer.accept(new UnitRow.Transform(entry.name(), payloads.transform(entry)));
        case SLAB -> consumer.accept(payloads.slab(entry));
        case RAW -> consumer.accept(payloads.raw(entry));
        case COLUMN_SCALES ->
            consumer.accept(new UnitRow.Scales(entry.name(), columnScales(entry.name())));
        case EXPONENTS -> {}
      }
    }
  }

  /** The slabs of a quantized tensor by expert and row; none for other tensors. */
  public void forEachSlab(String tensor, Consumer<UnitRow.Slab> consumer) {
    for (RowIndex.Entry entry : index.rows(tensor)) {
      if (entry.kind() == Column.Kind.SLAB) {
        consumer.accept(payloads.slab(entry));
      }
    }
  }

  /** The bytes of a tensor that is not quantized, in order; none for other tensors. */
  public void forEachRaw(String tensor, Consumer<UnitRow.Raw> consumer) {
    for (RowIndex.Entry entry : index.rows(tensor)) {
      if (entry.kind() == Column.Kind.RAW) {
        consumer.accept(payloads.raw(entry));
      }
    }
  }

  /** The slab that has row {@code row} of a quantized tensor, counted through all experts. */
  UnitRow.Slab slab(String tensor, long row) {
    RowIndex.Entry entry = index.slab(contents.header().tensor(tensor), row);
    if (entry == null || entry.kind() != Column.Kind.SLAB) {
      throw new IndexOutOfBoundsException(tensor + " has no row " + row);
    }
    UnitRow.Slab held = lastSlab;
    if (held != null && lastSlabNumber == entry.number() && payloads.holds(entry)) {
      return held;
    }
    UnitRow.Slab found = payloads.slab(entry);
    lastSlab = found;
    lastSlabNumber = entry.number();
    return found;
  }

  /**
   * Fills {@code target} with bytes of a tensor that is not quantized. A row of the file is read
   * and checked whole when it is met first, in part afterwards.
   */
  void readRaw(String tensor, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), contents.header().tensor(tensor).bytes());
    for (RowIndex.Entry entry : index.rows(tensor)) {
      long start = entry.get(Column.BYTE_OFFSET);
      long from = Math.max(offset, start);
      long end = Math.min(offset + target.byteSize(), start + entry.payloadBytes());
      if (from < end) {
        MemorySegment part = target.asSlice(from - offset, end - from);
        Long position = rawPositions.get(entry.number());
        if (position != null) {
          file.read(position + from - start, part);
        } else {
          MemorySegment bytes = payloads.raw(entry).bytes();
          part.copyFrom(bytes.asSlice(from - start, part.byteSize()));
          rawPositions.put(entry.number(), payloads.position(entry, bytes));
        }
      }
    }
  }

  /** The first channel of the block that a channel belongs to. */
  int blockAt(String key, int channel) {
    long first = index.blocks().blockAt(key, channel);
    if (first < 0) {
      throw file.damage().of("transform " + key + " has no block for channel " + channel);
    }
    return Math.toIntExact(first);
  }

  /**
   * The block that begins at {@code firstChannel}; leaves the segments of the row given out last as
   * they are.
   */
  public StoredTransform transform(String key, int firstChannel) {
    RowIndex.Entry entry = index.blocks().block(key, firstChannel);
    if (entry == null) {
      throw file.damage().of("transform " + key + " has no block at channel " + firstChannel);
    }
    return payloads.transform(entry);
  }

  /** Multiplies decoded rows by 1/s of their columns, where they are coded with column scales. */
  void unscale(TensorHeader.Coding coding, FloatMatrix rows) {
    if (coding.columnScales() != null) {
      columnScales(coding.columnScales()).divide(rows);
    }
  }

  /** The column scales stored under a key. Read once. */
  ColumnScales columnScales(String key) {
    return scales.computeIfAbsent(
        key, unread -> payloads.columnScales(index.columnScales().of(unread)));
  }

  /** All blocks of a transform, for a decoder. */
  SlabDecoder.Blocks blocks(TensorHeader.TransformUse use) {
    return new SlabDecoder.Blocks(use.side(), channel -> transform(use.key(), channel));
  }

  /** Channels of the block that begins at {@code firstChannel}. */
  public int blockLength(String key, int firstChannel) {
    RowIndex.Entry entry = index.blocks().block(key, firstChannel);
    if (entry == null) {
      throw file.damage().of("transform " + key + " has no block at channel " + firstChannel);
    }
    return (int) entry.get(Column.K);
  }

  /** The blocks that have some of the channels [first, end), by their channels. */
  void forEachBlock(String key, long first, long end, Consumer<StoredTransform> consumer) {
    index
        .blocks()
        .within(key, first, end)
        .forEach(entry -> consumer.accept(payloads.transform(entry)));
  }

  /** Whether some row of the tensor has a power of two beside its scales. */
  boolean hasExponents(String tensor) {
    return index.hasExponents(tensor);
  }

  @Override
  public void close() {
    arena.close();
    file.close();
  }
}
