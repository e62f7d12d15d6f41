package io.cafeq.engine.quantize;

import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ColumnScales;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * The errors of the weights themselves where it was their scaled columns that were rounded: the
 * slab is decoded, as a reader will, and compared. Not thread-safe.
 */
final class ScaledErrors {
  private final ColumnScales scales;
  private final SlabDecoder decoder = new SlabDecoder();

  ScaledErrors(ColumnScales scales) {
    this.scales = scales;
  }

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

  private void decode(EncodedSlab slab, SlabTransforms transforms, FloatMatrix target) {
    switch (transforms) {
      case SlabTransforms.None none -> decoder.decode(slab, 0, null, 0, target);
      case SlabTransforms.Blocks blocks ->
          decoder.decode(
              slab,
              0,
              SlabDecoder.Blocks.of(
                  blocks.blocks().stream()
                      .map(BlockTransform::stored)
                      .map(Optional::orElseThrow)
                      .toList()),
              blocks.blocks().getFirst().firstChannel(),
              target);
    }
  }
}
