package io.cafeq.engine.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How the elements of a stored tensor make matrices [out, in]. A tensor of three dimensions stacks
 * one for each expert.
 */
public sealed interface WeightLayout {
  /** Its name and shapes. */
  default LayoutKind kind() {
    return switch (this) {
      case Plain plain -> LayoutKind.PLAIN;
      case Transposed transposed -> LayoutKind.TRANSPOSED;
      case Quantized quantized -> quantized.kind();
    };
  }

  /** [out, in] or [experts, out, in], floats of 16, 32 or 64 bits. */
  record Plain() implements WeightLayout {}

  /** [in, out] or [experts, in, out], as Conv1D and some stacks of experts have it. */
  record Transposed() implements WeightLayout {}

  /**
   * Weights that another program quantized: (code - zero point) * scale, or code * scale without
   * zero points.
   *
   * @param weights shape of the weights, [out, in] or [experts, out, in], whatever the stored one
   * @param zeroPoints on the same tiles as the scales
   * @param extent the tensor that holds the shape, where there is one
   */
  record Quantized(
      LayoutKind kind,
      List<Long> weights,
      Codes codes,
      Scales scales,
      Optional<ZeroPoints> zeroPoints,
      Optional<TensorInfo> extent)
      implements WeightLayout {
    public Quantized {
      weights = List.copyOf(weights);
    }

    /** Codes with scales and nothing else. */
    static Quantized of(LayoutKind kind, List<Long> weights, Codes codes, Scales scales) {
      return new Quantized(kind, weights, codes, scales, Optional.empty(), Optional.empty());
    }

    /** The tensors that go into the weights beside the codes. */
    List<TensorInfo> companions() {
      List<TensorInfo> companions = new ArrayList<>(List.of(scales.tensor()));
      scales.global().map(GlobalScale::tensor).ifPresent(companions::add);
      scales.groupIndex().ifPresent(companions::add);
      zeroPoints.map(ZeroPoints::tensor).ifPresent(companions::add);
      extent.ifPresent(companions::add);
      return List.copyOf(companions);
    }
  }

  /** What a code is. */
  enum CodeKind {
    /** A float of 8 bits, of the tensor's type. */
    FLOAT8,
    /** E2M1 floats, two in a byte, low nibble first. */
    FLOAT4,
    /** A signed byte. */
    INT8,
    /**
     * Integers, shifted by 2^(bits - 1), in one bit stream for each row, least significant bit
     * first.
     */
    PACKED,
    /** The same, but as many in each 32-bit word as fit whole. */
    PACKED_BY_WORD
  }

  /**
   * @param bits of one code
   */
  record Codes(CodeKind kind, int bits) {
    private static final int WORD = Integer.SIZE;

    /** Columns that together fill whole bytes, or words. */
    int unitColumns() {
      return switch (kind) {
        case FLOAT8, INT8 -> 1;
        case FLOAT4 -> 2;
        case PACKED -> WORD;
        case PACKED_BY_WORD -> WORD / bits;
      };
    }

    /** Bytes of such columns. */
    int unitBytes() {
      return switch (kind) {
        case FLOAT8, INT8, FLOAT4 -> 1;
        case PACKED -> WORD / Byte.SIZE * bits;
        case PACKED_BY_WORD -> WORD / Byte.SIZE;
      };
    }

    /** Words that packed integers take. */
    long words(long count) {
      return kind == CodeKind.PACKED_BY_WORD
          ? Math.ceilDiv(count, unitColumns())
          : Math.ceilDiv(count * bits, WORD);
    }

    /** Where in the stream of bits a packed integer begins. */
    long bit(long index) {
      return kind == CodeKind.PACKED_BY_WORD
          ? index / unitColumns() * WORD + index % unitColumns() * bits
          : index * bits;
    }

    /** All bits of a code set. */
    int largest() {
      return (1 << bits) - 1;
    }

    /** What was added to integers when they were packed. */
    int offset() {
      return 1 << bits - 1;
    }
  }

  /**
   * Scales, one for each tile of a matrix.
   *
   * @param tensor possibly in another shard
   * @param dtype of its elements; it differs from the tensor's where powers of two are stored as U8
   * @param global a second level of scales
   * @param groupIndex I32 [in], the group of each input channel where groups are not in order; -1
   *     where they are
   */
  record Scales(
      TensorInfo tensor,
      Dtype dtype,
      Tiles tiles,
      Optional<GlobalScale> global,
      Optional<TensorInfo> groupIndex) {
    /** Scales of one level, groups in order. */
    static Scales of(TensorInfo tensor, Tiles tiles) {
      return new Scales(
          tensor,
          tensor.dtype() == Dtype.U8 ? Dtype.F8_E8M0 : tensor.dtype(),
          tiles,
          Optional.empty(),
          Optional.empty());
    }
  }

  /**
   * Rows and columns of a matrix [out, in] that share a scale.
   *
   * @param isPerExpert whether each matrix of a stack has scales of its own
   * @param isTransposed whether the scales are stored as [tiles of in, tiles of out]
   */
  record Tiles(int rows, int columns, boolean isPerExpert, boolean isTransposed) {}

  /**
   * One factor for all scales of a tensor, or of an expert.
   *
   * @param divides whether scales are divided by it, else multiplied
   */
  record GlobalScale(TensorInfo tensor, boolean divides) {}

  /**
   * @param packed whether they are packed as the codes are, along the output channels
   */
  record ZeroPoints(TensorInfo tensor, boolean packed) {}
}
