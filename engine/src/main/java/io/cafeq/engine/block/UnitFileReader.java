package io.cafeq.engine.block;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ArrowFile file;
  private final UnitMetadata.Contents contents;
  private final List<BatchLayout> layouts = new ArrayList<>();
  private final List<RowIndex.Entry> entries = new ArrayList<>();
  private final RowIndex index;
  private final Arena arena = Arena.ofConfined();
  private final LoadedBatch rows;
  private final LoadedBatch transforms;
  private final LoadedBatch exponents;
  private final Map<Long, Long> rawPositions = new HashMap<>();
  private UnitRow.@Nullable Slab lastSlab;
  private long lastSlabNumber = -1;

  private UnitFileReader(ArrowFile file) {
    this.file = file;
    this.contents = UnitMetadata.read(file);
    BatchEntries reader = new BatchEntries(file, contents.header().names());
    long largestRow = 0;
    long largestTransforms = 0;
    long largestExponents = 0;
    for (int i = 0; i < file.batches(); i++) {
      BatchLayout layout = file.batch(i);
      layouts.add(layout);
      reader.addTo(entries, i, layout);
      switch (entries.getLast().kind()) {
        case TRANSFORM -> largestTransforms = Math.max(largestTransforms, layout.bodyLength());
        case EXPONENTS -> largestExponents = Math.max(largestExponents, layout.bodyLength());
        case SLAB, RAW -> largestRow = Math.max(largestRow, layout.bodyLength());
      }
    }
    this.index = RowIndex.of(file.damage(), contents.header(), entries);
    this.rows = new LoadedBatch(file, arena, largestRow);
    this.transforms = new LoadedBatch(file, arena, largestTransforms);
    this.exponents = new LoadedBatch(file, arena, largestExponents);
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
        case TRANSFORM -> consumer.accept(new UnitRow.Transform(entry.name(), transform(entry)));
        case SLAB -> consumer.accept(slab(entry));
        case RAW -> consumer.accept(raw(entry));
        case EXPONENTS -> {}
      }
    }
  }

  /** The slabs of a quantized tensor by expert and row; none for other tensors. */
  public void forEachSlab(String tensor, Consumer<UnitRow.Slab> consumer) {
    for (RowIndex.Entry entry : index.rows(tensor)) {
      if (entry.kind() == Column.Kind.SLAB) {
        consumer.accept(slab(entry));
      }
    }
  }

  /** The bytes of a tensor that is not quantized, in order; none for other tensors. */
  public void forEachRaw(String tensor, Consumer<UnitRow.Raw> consumer) {
    for (RowIndex.Entry entry : index.rows(tensor)) {
      if (entry.kind() == Column.Kind.RAW) {
        consumer.accept(raw(entry));
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
    if (held != null
        && lastSlabNumber == entry.number()
        && rows.holds(layouts.get(entry.batch()))) {
      return held;
    }
    UnitRow.Slab found = slab(entry);
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
          MemorySegment bytes = raw(entry).bytes();
          part.copyFrom(bytes.asSlice(from - start, part.byteSize()));
          rawPositions.put(entry.number(), rows.position(layouts.get(entry.batch()), bytes));
        }
      }
    }
  }

  /** The first channel of the block that a channel belongs to. */
  int blockAt(String key, int channel) {
    long first = index.blockAt(key, channel);
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
    RowIndex.Entry entry = index.block(key, firstChannel);
    if (entry == null) {
      throw file.damage().of("transform " + key + " has no block at channel " + firstChannel);
    }
    return transform(entry);
  }

  /** Channels of the block that begins at {@code firstChannel}. */
  public int blockLength(String key, int firstChannel) {
    RowIndex.Entry entry = index.block(key, firstChannel);
    if (entry == null) {
      throw file.damage().of("transform " + key + " has no block at channel " + firstChannel);
    }
    return (int) entry.get(Column.K);
  }

  @Override
  public void close() {
    arena.close();
    file.close();
  }

  private UnitRow.Slab slab(RowIndex.Entry entry) {
    TensorHeader tensor = contents.header().tensor(entry.name());
    TensorHeader.Section section =
        tensor
            .sectionOf(RowIndex.firstRow(tensor, entry))
            .orElseThrow(
                () ->
                    file.damage()
                        .of(
                            entry.name(),
                            entry.number(),
                            "a slab of a tensor that is not quantized"));
    SlabLayout layout =
        SlabLayout.of(
            section.coding().grid(), (int) entry.get(Column.ROWS), (int) entry.get(Column.COLUMNS));
    MemorySegment own = exponents(entry);
    Row row = rows.row(layouts.get(entry.batch()), entry, own);
    for (Column column : Column.all()) {
      MemorySegment bytes = row.bytes(column);
      long found = bytes == null ? 0 : bytes.byteSize();
      long expected = layout.bytes().getOrDefault(column, 0L);
      if (found != expected) {
        throw file.damage()
            .of(
                entry.name(),
                entry.number(),
                column.text() + " has " + found + " bytes, the header's grid takes " + expected);
      }
    }
    return new UnitRow.Slab(
        entry.name(),
        (int) entry.get(Column.EXPERT),
        entry.get(Column.FIRST_ROW),
        layout.slab(row, own));
  }

  /** Of a slab's rows; empty where the file has none. */
  private MemorySegment exponents(RowIndex.Entry slab) {
    RowIndex.Entry entry = index.exponents(slab);
    if (entry == null) {
      return MemorySegment.NULL;
    }
    MemorySegment bytes = exponents.row(layouts.get(entry.batch()), entry).bytes(Column.RAW);
    if (bytes == null || bytes.byteSize() != slab.get(Column.ROWS)) {
      throw file.damage()
          .of(entry.name(), entry.number(), "its exponents are not one for each row of the slab");
    }
    return bytes.asReadOnly();
  }

  private UnitRow.Raw raw(RowIndex.Entry entry) {
    MemorySegment bytes = rows.row(layouts.get(entry.batch()), entry).bytes(Column.RAW);
    if (bytes == null || bytes.byteSize() != entry.payloadBytes()) {
      throw file.damage()
          .of(entry.name(), entry.number(), "its bytes do not have the length of their column");
    }
    return new UnitRow.Raw(entry.name(), entry.get(Column.BYTE_OFFSET), bytes.asReadOnly());
  }

  private StoredTransform transform(RowIndex.Entry entry) {
    Row row = transforms.row(layouts.get(entry.batch()), entry);
    int k = (int) entry.get(Column.K);
    StoredTransform.Format format =
        Objects.requireNonNull(StoredNumbers.format(entry.get(Column.FORMAT)));
    MemorySegment data = row.bytes(Column.TRANSFORM_DATA);
    MemorySegment scales = row.bytes(Column.TRANSFORM_SCALES);
    long expected =
        switch (format) {
          case INT8 -> (long) k * k;
          case BF16 -> 2L * k * k;
          case HADAMARD -> (k + 7L) / 8;
        };
    long expectedScales = format == StoredTransform.Format.INT8 ? 2L * k : 0;
    if (data == null
        || scales == null
        || data.byteSize() != expected
        || scales.byteSize() != expectedScales) {
      throw file.damage()
          .of(
              entry.name(),
              entry.number(),
              "a block of "
                  + k
                  + " channels in "
                  + format
                  + " does not take the bytes that are there");
    }
    return new StoredTransform(
        Objects.requireNonNull(StoredNumbers.side(entry.get(Column.SIDE))),
        (int) entry.get(Column.FIRST_CHANNEL),
        k,
        format,
        data.toArray(ValueLayout.JAVA_BYTE),
        scales.toArray(SHORT));
  }
}
