package io.cafeq.engine.quantize;

import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ColumnScales;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The errors of the weights themselves where it was their scaled columns that were rounded: the
 * slab is decoded, as a reader will, and compared.
 */
record ScaledErrors(ColumnScales scales) {
  /**
   * The slab with its squared error and norm in place of those of the scaled columns.
   *
   * @param weights as they were read
   * @param room as large, for what is decoded
   */
  EncodedSlab of(
      EncodedSlab rounded, SlabTransforms transforms, FloatMatrix weights, FloatMatrix room) {
    decode(rounded, transforms, room);
    scales.divide(room);
    int columns = weights.columns();
    float[] original = new float[columns];
    float[] effective = new float[columns];
    double error = 0;
    double norm = 0;
    for (int i = 0; i < weights.rows(); i++) {
      long at = (long) Float.BYTES * i * columns;
      MemorySegment.copy(weights.segment(), ValueLayout.JAVA_FLOAT, at, original, 0, columns);
      MemorySegment.copy(room.segment(), ValueLayout.JAVA_FLOAT, at, effective, 0, columns);
      for (int j = 0; j < columns; j++) {
        double deviation = (double) effective[j] - original[j];
        error += deviation * deviation;
        norm += (double) original[j] * original[j];
      }
    }
    return rounded.withSquares(error, norm);
  }

  private static void decode(EncodedSlab slab, SlabTransforms transforms, FloatMatrix target) {
    SlabDecoder decoder = new SlabDecoder();
    switch (transforms) {
      case SlabTransforms.None none -> decoder.decode(slab, 0, null, 0, target);
      case SlabTransforms.Blocks blocks ->
          decoder.decode(
              slab,
              0,
              SlabDecoder.Blocks.of(
                  blocks.blocks().stream()
                      .map(BlockTransform::stored)
                      .map(java.util.Optional::orElseThrow)
                      .toList()),
              blocks.blocks().getFirst().firstChannel(),
              target);
    }
  }
}
