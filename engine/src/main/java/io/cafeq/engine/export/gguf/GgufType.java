package io.cafeq.engine.export.gguf;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.grid.GridSpec;
import java.util.Arrays;
import java.util.Optional;

/** Types of a file's tensors: blocks of consecutive weights of a row (ggml.h, ggml-common.h). */
enum GgufType {
  F32(0, 1, 4, 0),
  F16(1, 1, 2, 1),
  BF16(30, 1, 2, 32),
  /** d, then low nibbles of the first half and high ones of the second: (q - 8) * d. */
  Q4_0(2, 32, 18, 2),
  /** d, m, nibbles: q * d + m. */
  Q4_1(3, 32, 20, 3),
  /** d, a fifth bit for each weight, nibbles: (q - 16) * d. */
  Q5_0(6, 32, 22, 8),
  /** d, m, fifth bits, nibbles: q * d + m. */
  Q5_1(7, 32, 24, 9),
  /** d, signed bytes: q * d. */
  Q8_0(8, 32, 34, 7),
  /** Super-blocks of 16 groups: d * sc * q - dmin * m with 4-bit sc and m. */
  Q2_K(10, 256, 84, 10),
  /** Super-blocks of 16 groups: d * sc * (q - 4) with 6-bit signed sc. */
  Q3_K(11, 256, 110, 12),
  /** Super-blocks of 8 groups: d * sc * q - dmin * m with 6-bit sc and m. */
  Q4_K(12, 256, 144, 15),
  /** The same with 5 bits. */
  Q5_K(13, 256, 176, 17),
  /** Super-blocks of 16 groups: d * sc * (q - 32) with 8-bit signed sc. */
  Q6_K(14, 256, 210, 18);

  private static final int GROUP = 32;

  private final int id;
  private final int weights;
  private final int bytes;
  private final int fileType;

  GgufType(int id, int weights, int bytes, int fileType) {
    this.id = id;
    this.weights = weights;
    this.bytes = bytes;
    this.fileType = fileType;
  }

  /** Its number in files. */
  int id() {
    return id;
  }

  /** Weights of a block. */
  int weights() {
    return weights;
  }

  /** Bytes of a block. */
  int bytes() {
    return bytes;
  }

  /** What {@code general.file_type} is called where most weights have this type. */
  int fileType() {
    return fileType;
  }

  boolean isQuantized() {
    return weights > 1;
  }

  /** Bytes of so many weights, a multiple of a block's. */
  long bytesOf(long count) {
    return Math.multiplyExact(count / weights, (long) bytes);
  }

  /** Groups of a block, each with a scale. */
  int groups() {
    return switch (this) {
      case Q2_K, Q3_K, Q6_K -> 16;
      case Q4_K, Q5_K -> 8;
      case F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 -> 1;
    };
  }

  /** Whether groups have codes for their scales. */
  boolean isSuper() {
    return groups() > 1;
  }

  /** Bits of the codes of scales in super-blocks. */
  int scaleBits() {
    return switch (this) {
      case Q2_K -> 4;
      case Q3_K, Q4_K, Q5_K -> 6;
      case Q6_K -> 8;
      case F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 -> 16;
    };
  }

  /** The type whose values are those of a grid of so many columns; empty where there is none. */
  static Optional<GgufType> of(GridSpec grid, int columns) {
    if (grid.storage().hasSuperBlocks()) {
      return columns % GridSpec.SUPER_BLOCK == 0
          ? superBlocks(grid).filter(type -> grid.scaleBits() == type.scaleBits())
          : Optional.empty();
    }
    if (grid.group() != GROUP) {
      return Optional.empty();
    }
    return switch (grid.storage()) {
      case SIGNED ->
          switch (grid.bits()) {
            case 4 -> Optional.of(Q4_0);
            case 5 -> Optional.of(Q5_0);
            case 8 -> Optional.of(Q8_0);
            default -> Optional.empty();
          };
      case F16_MINIMUM ->
          switch (grid.bits()) {
            case 4 -> Optional.of(Q4_1);
            case 5 -> Optional.of(Q5_1);
            default -> Optional.empty();
          };
      case SYMMETRIC, ZERO_POINT, OFFSET, F16, K_MINIMUM, K_SIGNED -> Optional.empty();
    };
  }

  private static Optional<GgufType> superBlocks(GridSpec grid) {
    boolean minimum = grid.storage() == ScaleStorage.K_MINIMUM;
    return switch (grid.bits()) {
      case 2 -> minimum && grid.group() == 16 ? Optional.of(Q2_K) : Optional.empty();
      case 3 -> !minimum && grid.group() == 16 ? Optional.of(Q3_K) : Optional.empty();
      case 4 -> minimum && grid.group() == 32 ? Optional.of(Q4_K) : Optional.empty();
      case 5 -> minimum && grid.group() == 32 ? Optional.of(Q5_K) : Optional.empty();
      case 6 -> !minimum && grid.group() == 16 ? Optional.of(Q6_K) : Optional.empty();
      default -> Optional.empty();
    };
  }

  /** The type of the same floats. */
  static Optional<GgufType> of(Dtype dtype) {
    return switch (dtype) {
      case F32 -> Optional.of(F32);
      case F16 -> Optional.of(F16);
      case BF16 -> Optional.of(BF16);
      case F64, F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
          Optional.empty();
    };
  }

  static Optional<GgufType> ofId(int id) {
    return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
  }
}
