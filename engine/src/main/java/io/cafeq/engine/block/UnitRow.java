package io.cafeq.engine.block;

import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.MemorySegment;

/**
 * One row of a unit's file, checked. Segments are borrowed from the reader and valid until it gives
 * the next row.
 */
public sealed interface UnitRow {
  /** A block of the transform stored under {@code key}. */
  record Transform(String key, StoredTransform transform) implements UnitRow {}

  /**
   * Output channels [firstRow, firstRow + slab.rows) of a tensor; {@code expert} is -1 for a plain
   * matrix.
   */
  record Slab(String tensor, int expert, long firstRow, EncodedSlab slab) implements UnitRow {}

  /** The column scales stored under {@code key}. */
  record Scales(String key, ColumnScales scales) implements UnitRow {}

  /** Bytes of a tensor that is not quantized, from {@code byteOffset} on. */
  record Raw(String tensor, long byteOffset, MemorySegment bytes) implements UnitRow {}
}
