package io.cafeq.engine.export.gguf;

import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.StopFlag;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Appends the data of tensors to a file, some rows at a time. */
final class TensorWriter {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final SourceRows rows;
  private final DurableFile out;
  private final StopFlag stop;

  TensorWriter(SourceRows rows, DurableFile out, StopFlag stop) {
    this.rows = rows;
    this.out = out;
    this.stop = stop;
  }

  /** Appends a tensor and what aligns the next one. */
  void write(Outgoing tensor) {
    long written = 0;
    for (Outgoing.Part part : tensor.parts()) {
      written += write(tensor, part);
    }
    try (Arena arena = Arena.ofConfined()) {
      long padding = HeaderWriter.aligned(written) - written;
      out.append(arena.allocate(Math.max(1, padding)).asSlice(0, padding));
    }
  }

  private long write(Outgoing tensor, Outgoing.Part part) {
    int chunk = SourceRows.chunk(part);
    long rowBytes = tensor.type().bytesOf(part.columns());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment piece = arena.allocate(chunk * rowBytes, Long.BYTES);
      MemorySegment moved = arena.allocate(chunk * rowBytes, Long.BYTES);
      for (long first = 0; first < part.rows(); first += chunk) {
        stop.check();
        int count = (int) Math.min(chunk, part.rows() - first);
        fill(tensor, part, first, count, piece);
        MemorySegment ready = part.head() > 0 ? moved : piece;
        if (part.head() > 0) {
          for (int row = 0; row < count; row++) {
            MemorySegment.copy(
                piece,
                row * rowBytes,
                moved,
                Outgoing.placeInHead(row, part.head()) * rowBytes,
                rowBytes);
          }
        }
        out.append(ready.asSlice(0, count * rowBytes));
      }
    }
    return part.rows() * rowBytes;
  }

  private void fill(
      Outgoing tensor, Outgoing.Part part, long first, int count, MemorySegment piece) {
    if (part instanceof Outgoing.Stored stored) {
      if (rows.isVerbatim(tensor, stored)) {
        rows.bytes(stored, first, count, piece);
        return;
      }
      if (tensor.type().isQuantized()) {
        rows.blocks(stored, first, count, new BlockEncoder(tensor.type(), part.columns()), piece);
        return;
      }
    }
    float[] values = new float[count * part.columns()];
    rows.values(part, first, count, values);
    for (int i = 0; i < values.length; i++) {
      piece.set(FLOAT, (long) i * Float.BYTES, values[i]);
    }
  }
}
