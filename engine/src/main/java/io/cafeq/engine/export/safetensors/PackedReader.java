package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.memory.FloatMatrix;

/** Reads a packed matrix of an export as loaders do, from nothing but the export's files. */
@FunctionalInterface
interface PackedReader {
  /**
   * Rows [firstRow, firstRow + target.rows) of the weights, as floats.
   *
   * @param name that the weights have in the export
   * @param columns of the weights
   */
  void read(Checkpoint export, String name, int columns, int firstRow, FloatMatrix target);
}
