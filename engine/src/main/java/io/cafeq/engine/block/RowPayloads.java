package io.cafeq.engine.block;

import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;

/**
 * Reads the payloads of a unit's rows and checks their lengths and checksums. Takes memory for the
 * largest row, the largest batch of transforms and the largest exponents, from an arena that it
 * borrows.
 */
final class RowPayloads {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ArrowFile file;
  private final UnitHeader header;
  private final List<BatchLayout> layouts;
  private final RowIndex index;
  private final LoadedBatch rows;
  private final LoadedBatch transforms;
  private final LoadedBatch exponents;
  private final LoadedBatch columnScales;

  RowPayloads(
      ArrowFile file,
      UnitHeader header,
      List<BatchLayout> layouts,
      List<RowIndex.Entry> entries,
      RowIndex index,
      Arena arena) {
    this.file = file;
    this.header = header;
    this.layouts = layouts;
    this.index = index;
    long largestRow = 0;
    long largestTransforms = 0;
    long largestExponents = 0;
    long largestScales = 0;
    for (RowIndex.Entry entry : entries) {
      long length = layouts.get(entry.batch()).bodyLength();
      switch (entry.kind()) {
        case TRANSFORM -> largestTransforms = Math.max(largestTransforms, length);
        case EXPONENTS -> largestExponents = Math.max(largestExponents, length);
        case COLUMN_SCALES -> largestScales = Math.max(largestScales, length);
        case SLAB, RAW -> largestRow = Math.max(largestRow, length);
      }
    }
    this.rows = new LoadedBatch(file, arena, largestRow);
    this.transforms = new LoadedBatch(file, arena, largestTransforms);
    this.exponents = new LoadedBatch(file, arena, largestExponents);
    this.columnScales = new LoadedBatch(file, arena, largestScales);
  }

  /** Whether the row's batch is the one in memory. */
  boolean holds(RowIndex.Entry entry) {
    return rows.holds(layouts.get(entry.batch()));
  }

  /** Where a payload that was given for the row is in the file. */
  long position(RowIndex.Entry entry, MemorySegment payload) {
    return rows.position(layouts.get(entry.batch()), payload);
  }

  UnitRow.Slab slab(RowIndex.Entry entry) {
    TensorHeader tensor = header.tensor(entry.name());
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

  ColumnScales columnScales(RowIndex.Entry entry) {
    MemorySegment bytes = columnScales.row(layouts.get(entry.batch()), entry).bytes(Column.RAW);
    if (bytes == null || bytes.byteSize() != entry.get(Column.COLUMNS)) {
      throw file.damage()
          .of(entry.name(), entry.number(), "its column scales are not one for each column");
    }
    return ColumnScales.stored(bytes.toArray(ValueLayout.JAVA_BYTE));
  }

  UnitRow.Raw raw(RowIndex.Entry entry) {
    MemorySegment bytes = rows.row(layouts.get(entry.batch()), entry).bytes(Column.RAW);
    if (bytes == null || bytes.byteSize() != entry.payloadBytes()) {
      throw file.damage()
          .of(entry.name(), entry.number(), "its bytes do not have the length of their column");
    }
    return new UnitRow.Raw(entry.name(), entry.get(Column.BYTE_OFFSET), bytes.asReadOnly());
  }

  StoredTransform transform(RowIndex.Entry entry) {
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
