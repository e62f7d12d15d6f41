package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Decodes a tensor's slabs piece by piece into one buffer that is reused. A piece has about 8 MiB,
 * but at least one row, or one block of an output-side transform. Owned by one thread.
 */
final class WeightPieces {
  private static final long TARGET_BYTES = 8L << 20;

  /** Takes some rows of the tensor; the matrix is borrowed. */
  interface Consumer {
    /**
     * @param channel the first row, counted through all experts
     * @param slab the row of the file that the piece is from
     */
    void accept(long channel, FloatMatrix weights, UnitRow.Slab slab);
  }

  private final UnitFileReader reader;
  private final Arena arena;
  private final SlabDecoder decoder = new SlabDecoder();
  private MemorySegment buffer = MemorySegment.NULL;

  /** {@code arena} owns the buffer. */
  WeightPieces(UnitFileReader reader, Arena arena) {
    this.reader = reader;
    this.arena = arena;
  }

  /** All rows in order; none where the tensor is not quantized. */
  void forEach(String tensor, Consumer consumer) {
    TensorHeader header = reader.header().tensor(tensor);
    reader.forEachSlab(
        tensor,
        slab -> {
          long first = header.overall(slab.expert(), slab.firstRow());
          TensorHeader.Coding coding = header.sectionOf(first).orElseThrow().coding();
          TensorHeader.TransformUse transform = coding.transform();
          SlabDecoder.Blocks blocks = transform == null ? null : reader.blocks(transform);
          boolean mixesRows = transform != null && transform.side() == Side.OUTPUT;
          int rows = slab.slab().rows();
          int done = 0;
          while (done < rows) {
            int count =
                mixesRows && transform != null
                    ? wholeBlocks(
                        transform.key(),
                        Math.toIntExact(first + done),
                        rows - done,
                        header.columns())
                    : (int) Math.min(rows - done, target(header.columns()));
            FloatMatrix piece = piece(count, header.columns());
            int channel = mixesRows ? Math.toIntExact(first + done) : 0;
            decoder.decode(slab.slab(), done, blocks, channel, piece);
            reader.unscale(coding, piece);
            consumer.accept(first + done, piece, slab);
            done += count;
          }
        });
  }

  private int wholeBlocks(String key, int channel, int most, int columns) {
    int count = 0;
    while (count < most) {
      int k = reader.blockLength(key, channel + count);
      if (count > 0 && count + k > target(columns)) {
        break;
      }
      count += k;
    }
    return count;
  }

  private static long target(int columns) {
    return Math.max(1, TARGET_BYTES / Float.BYTES / Math.max(1, columns));
  }

  private FloatMatrix piece(int rows, int columns) {
    long bytes = (long) rows * columns * Float.BYTES;
    if (buffer.byteSize() < bytes) {
      buffer = arena.allocate(Math.max(bytes, Math.min(TARGET_BYTES, bytes * 2)), 64);
    }
    return new FloatMatrix(buffer.asSlice(0, bytes), rows, columns);
  }
}
