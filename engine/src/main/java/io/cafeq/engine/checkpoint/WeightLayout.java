package io.cafeq.engine.checkpoint;

/** How the elements of a stored tensor make matrices [out, in]. A tensor of three dimensions stacks one for each expert. */
public sealed interface WeightLayout {
  /** Its name and shapes. */
  default LayoutKind kind() {
    return switch (this) {
      case Plain plain -> LayoutKind.PLAIN;
      case Transposed transposed -> LayoutKind.TRANSPOSED;
      case Tiled tiled -> LayoutKind.TILED;
      case MicroScaled scaled -> LayoutKind.MICRO_SCALED;
    };
  }

  /** [out, in] or [experts, out, in], floats of 16, 32 or 64 bits. */
  record Plain() implements WeightLayout {}

  /** [in, out] or [experts, in, out], as Conv1D and some stacks of experts have it. */
  record Transposed() implements WeightLayout {}

  /**
   * [out, in] of 8-bit floats; each is to be multiplied by the entry of {@code scales} of its tile.
   *
   * @param scales [ceil(out / tileRows), ceil(in / tileColumns)], whatever lengths of 1 its shape leaves out; possibly in
   *     another shard
   */
  record Tiled(TensorInfo scales, int tileRows, int tileColumns) implements WeightLayout {}

  /**
   * MXFP4: U8 [experts, out, in / 32, 16], two 4-bit floats a byte, low nibble first, each to be multiplied by its block's
   * power of two.
   *
   * @param scales U8 [experts, out, in / 32], 2^(byte - 127)
   */
  record MicroScaled(TensorInfo scales) implements WeightLayout {
    /** Weights that share a scale. */
    public static final int BLOCK = 32;
  }
}
