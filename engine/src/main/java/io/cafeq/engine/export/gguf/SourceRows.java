package io.cafeq.engine.export.gguf;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.export.ScaleFolds;
import io.cafeq.engine.grid.GridValues;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Reads rows of a result in the source's order, as blocks or as floats. */
final class SourceRows {
  private final ResultReader result;
  private final ScaleFolds folds;

  SourceRows(ResultReader result) {
    this.result = result;
    this.folds = ScaleFolds.of(result);
  }

  /** Rows that are handled at a time: those that change places, or some hundred kilobytes. */
  static int chunk(Outgoing.Part part) {
    if (part.head() > 0) {
      return part.head();
    }
    return (int) Math.clamp((1 << 17) / part.columns(), 1, part.rows());
  }

  /** Whether the bytes are those of the result, in whatever order of rows. */
  boolean isVerbatim(Outgoing tensor, Outgoing.Stored part) {
    return !part.isQuantized()
        && part.stored() == tensor.type()
        && part.shift() == 0
        && folds.of(part.tensor()).isEmpty();
  }

  /** Rows [first, first + count) as the result stores them, to native {@code out}. */
  void bytes(Outgoing.Stored part, long first, int count, MemorySegment out) {
    long rowBytes = part.stored().bytesOf(part.columns());
    result.readRaw(part.tensor(), first * rowBytes, out.asSlice(0, count * rowBytes));
  }

  /** Rows [first, first + count) as blocks of the type of their codes. */
  void blocks(
      Outgoing.Stored part, long first, int count, BlockEncoder encoder, MemorySegment out) {
    result.forEachStored(
        part.tensor(),
        first,
        count,
        (row, coding, slab) -> {
          GridValues values = new GridValues(slab);
          for (int r = 0; r < slab.rows(); r++) {
            encoder.encode(slab, values, r, out, (row + r - first) * encoder.rowBytes());
          }
        });
  }

  /** What rows [first, first + count) stand for in the file, one after the other. */
  void values(Outgoing.Part part, long first, int count, float[] out) {
    switch (part) {
      case Outgoing.Numbers numbers -> {
        for (int i = 0; i < count; i++) {
          out[i] = numbers.values().get(Math.toIntExact(first + i));
        }
      }
      case Outgoing.Stored stored when stored.isQuantized() -> quantized(stored, first, count, out);
      case Outgoing.Stored stored -> raw(stored, first, count, out);
    }
  }

  private void quantized(Outgoing.Stored part, long first, int count, float[] out) {
    float[] values = new float[part.columns()];
    result.forEachStored(
        part.tensor(),
        first,
        count,
        (row, coding, slab) -> {
          GridValues grid = new GridValues(slab);
          for (int r = 0; r < slab.rows(); r++) {
            grid.read(r, 0, part.columns(), values);
            int at = Math.toIntExact(row + r - first) * part.columns();
            System.arraycopy(values, 0, out, at, part.columns());
          }
        });
  }

  private void raw(Outgoing.Stored part, long first, int count, float[] out) {
    int numbers = count * part.columns();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(part.stored().bytesOf(numbers), Long.BYTES);
      bytes(part, first, count, bytes);
      BlockDecoder.decode(part.stored(), bytes, 0, numbers, out);
    }
    if (part.shift() != 0) {
      for (int i = 0; i < numbers; i++) {
        out[i] += part.shift();
      }
    }
    folds
        .of(part.tensor())
        .ifPresent(
            fold -> {
              // a vector has rows of one number, and the file holds the norm's own weights
              for (int i = 0; i < numbers; i++) {
                out[i] *= fold.scales().inverse(Math.toIntExact(first + i));
              }
            });
  }
}
