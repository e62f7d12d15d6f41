package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Decodes any rows of a unit's quantized tensors, straight into where they are wanted. Only rows of
 * an output-side block that is wanted in part go by way of a buffer, which holds that block until
 * another one is needed: who reads a tensor from its first row to its last has every block decoded
 * once. Owned by one thread.
 */
final class WeightRows {
  private final UnitFileReader reader;
  private final Arena arena;
  private final SlabDecoder decoder = new SlabDecoder();
  private MemorySegment buffer = MemorySegment.NULL;
  private String heldTensor = "";
  private long heldRow = -1;

  /** {@code arena} owns the buffer. */
  WeightRows(UnitFileReader reader, Arena arena) {
    this.reader = reader;
    this.arena = arena;
  }

  /** Rows [firstRow, firstRow + target.rows) of a tensor, counted through all experts. */
  void read(String tensor, long firstRow, FloatMatrix target) {
    TensorHeader header = reader.header().tensor(tensor);
    int done = 0;
    while (done < target.rows()) {
      long row = firstRow + done;
      UnitRow.Slab slab = reader.slab(tensor, row);
      long start = header.overall(slab.expert(), slab.firstRow());
      int within = Math.toIntExact(row - start);
      int count = Math.min(slab.slab().rows() - within, target.rows() - done);
      TensorHeader.Coding coding = header.sectionOf(row).orElseThrow().coding();
      TensorHeader.TransformUse use = coding.transform();
      if (use != null && use.side() == Side.OUTPUT) {
        count = blocks(slab, use, start, within, target.slice(done, count));
      } else {
        SlabDecoder.Blocks blocks = use == null ? null : reader.blocks(use);
        decoder.decode(slab.slab(), within, blocks, 0, target.slice(done, count));
      }
      reader.unscale(coding, target.slice(done, count));
      done += count;
    }
  }

  /**
   * Fills the whole blocks at the beginning of the target, or else its part of the first block;
   * answers with its rows.
   */
  private int blocks(
      UnitRow.Slab slab,
      TensorHeader.TransformUse use,
      long start,
      int within,
      FloatMatrix target) {
    int channel = Math.toIntExact(start + within);
    int first = reader.blockAt(use.key(), channel);
    int whole = 0;
    while (first == channel && whole < target.rows()) {
      int length = reader.blockLength(use.key(), channel + whole);
      if (length > target.rows() - whole) {
        break;
      }
      whole += length;
    }
    if (whole > 0) {
      decoder.decode(slab.slab(), within, reader.blocks(use), channel, target.slice(0, whole));
      return whole;
    }
    FloatMatrix block = block(slab, use, first, within - (channel - first));
    int count = Math.min(target.rows(), first + block.rows() - channel);
    target.slice(0, count).segment().copyFrom(block.slice(channel - first, count).segment());
    return count;
  }

  private FloatMatrix block(
      UnitRow.Slab slab, TensorHeader.TransformUse use, int first, int within) {
    int rows = reader.blockLength(use.key(), first);
    int columns = slab.slab().columns();
    long bytes = (long) rows * columns * Float.BYTES;
    if (buffer.byteSize() < bytes) {
      buffer = arena.allocate(bytes, 64);
      heldRow = -1;
    }
    FloatMatrix block = new FloatMatrix(buffer.asSlice(0, bytes), rows, columns);
    if (heldRow != first || !heldTensor.equals(slab.tensor())) {
      heldRow = -1;
      decoder.decode(slab.slab(), within, reader.blocks(use), first, block);
      heldTensor = slab.tensor();
      heldRow = first;
    }
    return block;
  }
}
