package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridValues;

/** Visits the rows of a quantized tensor as they are stored. */
final class StoredRows {
  private StoredRows() {}

  /** Receives one row. */
  @FunctionalInterface
  interface Visitor {
    /**
     * @param row counted through the tensor
     * @param values of the slab that the row is in; borrowed
     * @param within the row of that slab
     */
    void row(long row, GridValues values, int within);
  }

  static void forEach(ResultReader result, String tensor, StopFlag stop, Visitor visitor) {
    result.forEachStored(
        tensor,
        0,
        result.header(tensor).allRows(),
        (first, coding, slab) -> {
          stop.check();
          GridValues values = new GridValues(slab);
          for (int within = 0; within < slab.rows(); within++) {
            visitor.row(first + within, values, within);
          }
        });
  }
}
