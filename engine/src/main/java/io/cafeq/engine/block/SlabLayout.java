package io.cafeq.engine.block;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;

/**
 * Which columns a slab of some grid fills, and with how many bytes: the one place that knows both,
 * for writer and reader.
 *
 * @param bytes by column; columns that are null are absent
 */
record SlabLayout(GridSpec grid, int rows, int columns, Map<Column, Long> bytes) {
  static SlabLayout of(GridSpec grid, int rows, int columns) {
    Map<Column, Long> bytes = new EnumMap<>(Column.class);
    bytes.put(Column.CODES, rows * EncodedSlab.codeBytes(grid, columns));
    bytes.put(scales(grid), rows * EncodedSlab.scaleBytes(grid, columns));
    if (!grid.scalesAreF16()) {
      bytes.put(Column.ROW_SCALES, rows * EncodedSlab.rowScaleBytes(grid, columns));
    }
    if (grid.zeroBits() > 0) {
      bytes.put(zeros(grid), rows * EncodedSlab.zeroBytes(grid, columns));
    }
    return new SlabLayout(grid, rows, columns, bytes);
  }

  /** Hands the slab's segments to the row's columns. */
  void put(Row row, EncodedSlab slab) {
    put(row, Column.CODES, slab.codes());
    put(row, scales(grid), slab.scales());
    if (!grid.scalesAreF16()) {
      put(row, Column.ROW_SCALES, slab.rowScales());
    }
    if (grid.zeroBits() > 0) {
      put(row, zeros(grid), slab.zeros());
    }
  }

  /**
   * The slab whose segments are the row's columns, which must have been checked against {@link
   * #bytes}.
   *
   * @param exponents of its rows; empty where it has none
   */
  EncodedSlab slab(Row row, MemorySegment exponents) {
    return new EncodedSlab(
        grid,
        rows,
        columns,
        segment(row, Column.CODES),
        segment(row, Column.ROW_SCALES),
        segment(row, scales(grid)),
        segment(row, zeros(grid)),
        exponents,
        row.getDouble(Column.SQUARED_ERROR),
        row.getDouble(Column.SQUARED_NORM),
        0,
        0);
  }

  private void put(Row row, Column column, MemorySegment segment) {
    long expected = bytes.getOrDefault(column, 0L);
    if (segment.byteSize() != expected) {
      throw new IllegalArgumentException(
          row.name()
              + ": "
              + column.text()
              + " has "
              + segment.byteSize()
              + " bytes, not "
              + expected);
    }
    row.with(column, segment);
  }

  private static MemorySegment segment(Row row, Column column) {
    MemorySegment bytes = row.bytes(column);
    return bytes == null ? MemorySegment.NULL : bytes;
  }

  private static Column scales(GridSpec grid) {
    return grid.scalesAreF16() ? Column.SCALES_F16 : Column.SCALES_PACKED;
  }

  private static Column zeros(GridSpec grid) {
    return grid.storage() == ScaleStorage.F16_MINIMUM ? Column.MINIMUMS_F16 : Column.ZEROS_PACKED;
  }
}
