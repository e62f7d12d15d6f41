package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.transform.StoredTransform;
import org.jspecify.annotations.Nullable;

/**
 * The numbers that stand for choices in a unit's file. They are part of the format, whatever
 * becomes of the enums.
 */
final class StoredNumbers {
  private StoredNumbers() {}

  static int of(Side side) {
    return switch (side) {
      case OUTPUT -> 0;
      case INPUT -> 1;
    };
  }

  static int of(StoredTransform.Format format) {
    return switch (format) {
      case INT8 -> 0;
      case BF16 -> 1;
      case HADAMARD -> 2;
    };
  }

  static int of(Column.Kind kind) {
    return switch (kind) {
      case TRANSFORM -> 0;
      case SLAB -> 1;
      case RAW -> 2;
      case EXPONENTS -> 3;
      case COLUMN_SCALES -> 4;
    };
  }

  /** Null where no side has that number. */
  static @Nullable Side side(long number) {
    for (Side side : Side.values()) {
      if (of(side) == number) {
        return side;
      }
    }
    return null;
  }

  /** Null where no format has that number. */
  static StoredTransform.@Nullable Format format(long number) {
    for (StoredTransform.Format format : StoredTransform.Format.values()) {
      if (of(format) == number) {
        return format;
      }
    }
    return null;
  }

  /** Null where no kind has that number. */
  static Column.@Nullable Kind kind(long number) {
    for (Column.Kind kind : Column.Kind.values()) {
      if (of(kind) == number) {
        return kind;
      }
    }
    return null;
  }
}
