package io.cafeq.engine.block;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A tensor of the checkpoint, read in pieces into buffers that an arena owns. */
final class SourceTensor implements AutoCloseable {
  private static final long PIECE = 1L << 20;

  private final Checkpoint checkpoint;
  private final WeightTensor weight;
  private final TensorInfo info;
  private final Arena arena;
  private final TensorReader reader;
  private MemorySegment floats = MemorySegment.NULL;
  private MemorySegment bytes = MemorySegment.NULL;

  private SourceTensor(Checkpoint checkpoint, WeightTensor weight, Arena arena) {
    this.checkpoint = checkpoint;
    this.weight = weight;
    this.info = weight.info();
    this.arena = arena;
    this.reader = checkpoint.newReader();
  }

  /** Kind RESULT where the checkpoint has no such tensor, or another one of that name. */
  static SourceTensor find(Checkpoint checkpoint, TensorHeader header, Damage damage, Arena arena) {
    TensorInfo info =
        checkpoint
            .tensor(header.name())
            .orElseThrow(
                () ->
                    damage.disagrees(
                        "holds tensor "
                            + header.name()
                            + ", which "
                            + checkpoint.location()
                            + " does not have"));
    if (info.dtype() != header.dtype() || !info.shape().equals(header.shape())) {
      throw damage.disagrees(
          "tensor "
              + header.name()
              + " is "
              + header.dtype()
              + " "
              + header.shape()
              + ", in "
              + checkpoint.location()
              + " it is "
              + info.dtype()
              + " "
              + info.shape());
    }
    LayoutKind layout = header.layout();
    if (!header.isQuantized()) {
      return new SourceTensor(checkpoint, WeightTensor.plain(info), arena);
    }
    return switch (checkpoint.weights().read(info, layout.isTransposed())) {
      case WeightTensors.Reading.Weights(WeightTensor weight)
          when weight.layout().kind() == layout ->
          new SourceTensor(checkpoint, weight, arena);
      case WeightTensors.Reading.Weights(WeightTensor weight) ->
          throw damage.disagrees(
              "tensor "
                  + header.name()
                  + " is "
                  + layout.text()
                  + ", in "
                  + checkpoint.location()
                  + " it is "
                  + weight.layout().kind().text());
      case WeightTensors.Reading.NoWeights(String reason) ->
          throw damage.disagrees(
              "tensor "
                  + header.name()
                  + " is quantized, in "
                  + checkpoint.location()
                  + " it "
                  + reason);
    };
  }

  /** Rows counted through all experts; borrowed until the next call. */
  FloatMatrix rows(long first, int count) {
    int columns = weight.columns();
    long needed = (long) count * columns * Float.BYTES;
    if (floats.byteSize() < needed) {
      floats = arena.allocate(needed, 64);
    }
    FloatMatrix target = new FloatMatrix(floats.asSlice(0, needed), count, columns);
    reader.readFloats(weight, Math.toIntExact(first), 0, target);
    return target;
  }

  /** Whether the tensor's bytes from {@code offset} on are these. */
  boolean holds(long offset, MemorySegment expected) {
    for (long at = 0; at < expected.byteSize(); at += PIECE) {
      MemorySegment part = expected.asSlice(at, Math.min(PIECE, expected.byteSize() - at));
      if (read(offset + at, part.byteSize()).mismatch(part) != -1) {
        return false;
      }
    }
    return true;
  }

  /** All bytes of a small tensor; owned by the arena. */
  MemorySegment bytes() {
    MemorySegment all = arena.allocate(Math.max(1, info.bytes()), 64).asSlice(0, info.bytes());
    checkpoint.read(info, 0, all);
    return all;
  }

  /** Of all its bytes. */
  String sha256(StopFlag stop) {
    return Digests.tensor(checkpoint, info, stop);
  }

  @Override
  public void close() {
    reader.close();
  }

  private MemorySegment read(long offset, long count) {
    if (bytes.byteSize() == 0) {
      bytes = arena.allocate(PIECE, 64);
    }
    MemorySegment target = bytes.asSlice(0, count);
    checkpoint.read(info, offset, target);
    return target;
  }
}
