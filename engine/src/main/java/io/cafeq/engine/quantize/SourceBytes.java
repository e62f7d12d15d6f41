package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;

/** Takes a tensor's bytes in order, once, and hashes them on the way. Borrows the checkpoint. */
final class SourceBytes {
  private final Checkpoint checkpoint;
  private final TensorInfo tensor;
  private final MessageDigest digest = Digests.sha256();
  private long position;

  SourceBytes(Checkpoint checkpoint, TensorInfo tensor) {
    this.checkpoint = checkpoint;
    this.tensor = tensor;
  }

  /** Fills the whole target with the next bytes. */
  void next(MemorySegment target) {
    checkpoint.read(tensor, position, target);
    digest.update(target.asByteBuffer());
    position += target.byteSize();
  }

  /** Whether the next bytes of that tensor are those from {@code offset} on. */
  boolean isAt(TensorInfo other, long offset) {
    return tensor.equals(other) && position == offset;
  }

  /** Whether everything was taken. */
  boolean isComplete() {
    return position == tensor.bytes();
  }

  /** SHA-256 of all bytes, lower-case hexadecimal; only once everything was taken. */
  String sha256() {
    if (position != tensor.bytes()) {
      throw new IllegalStateException(
          tensor.name() + ": " + position + " of " + tensor.bytes() + " bytes were read");
    }
    return Digests.hex(digest);
  }
}
