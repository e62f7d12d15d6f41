package io.cafeq.engine.checkpoint;

import java.util.Optional;

/** Element types of safetensors. */
public enum Dtype {
  F64(8),
  F32(4),
  F16(2),
  BF16(2),
  F8_E4M3(1),
  F8_E5M2(1),
  F8_E8M0(1),
  I64(8),
  I32(4),
  I16(2),
  I8(1),
  U64(8),
  U32(4),
  U16(2),
  U8(1),
  BOOL(1);

  private final int bytes;

  Dtype(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** True for the types whose elements are read as weights: F64, F32, F16, BF16. */
  public boolean isWeight() {
    return this == F64 || this == F32 || this == F16 || this == BF16;
  }

  /**
   * The type of that name in a safetensors header; empty for the sub-byte F4 and F6 types and for
   * unknown names.
   */
  public static Optional<Dtype> named(String name) {
    for (Dtype dtype : values()) {
      if (dtype.name().equals(name)) {
        return Optional.of(dtype);
      }
    }
    return Optional.empty();
  }
}
