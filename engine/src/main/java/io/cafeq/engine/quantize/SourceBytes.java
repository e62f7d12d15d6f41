package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Takes a tensor's bytes in order, once, and hashes them on the way. Borrows the checkpoint. */
final class SourceBytes {
  private final Checkpoint checkpoint;
  private final TensorInfo tensor;
  private final MessageDigest digest;
  private long position;

  SourceBytes(Checkpoint checkpoint, TensorInfo tensor) {
    this.checkpoint = checkpoint;
    this.tensor = tensor;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Fills the whole target with the next bytes. */
  void next(MemorySegment target) {
    checkpoint.read(tensor, position, target);
    digest.update(target.asByteBuffer());
    position += target.byteSize();
  }

  /** SHA-256 of all bytes, lower-case hexadecimal; only once everything was taken. */
  String sha256() {
    if (position != tensor.bytes()) {
      throw new IllegalStateException(tensor.name() + ": " + position + " of " + tensor.bytes() + " bytes were read");
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
