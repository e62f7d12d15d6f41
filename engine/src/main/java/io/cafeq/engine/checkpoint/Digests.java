package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.store.ByteSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 of files and tensors in lower-case hexadecimal, through a small native buffer. */
public final class Digests {
  /** Native bytes that one call takes. */
  public static final long BUFFER_BYTES = 1 << 20;

  private Digests() {}

  public static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  public static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Of a text in UTF-8. */
  public static String text(String text) {
    MessageDigest digest = sha256();
    digest.update(text.getBytes(StandardCharsets.UTF_8));
    return hex(digest);
  }

  /** The whole file. */
  public static String file(Path file, StopFlag stop) {
    try (Arena arena = Arena.ofConfined();
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      MessageDigest digest = sha256();
      ByteBuffer buffer = arena.allocate(BUFFER_BYTES).asByteBuffer();
      while (channel.read(buffer.clear()) >= 0) {
        stop.check();
        digest.update(buffer.flip());
      }
      return hex(digest);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  /** All bytes of a source. */
  public static String source(ByteSource source, StopFlag stop) {
    try (Arena arena = Arena.ofConfined()) {
      MessageDigest digest = sha256();
      ByteBuffer buffer = arena.allocate(BUFFER_BYTES).asByteBuffer();
      for (long at = 0; at < source.size(); at += BUFFER_BYTES) {
        stop.check();
        source.read(at, buffer.clear().limit((int) Math.min(BUFFER_BYTES, source.size() - at)));
        digest.update(buffer.flip());
      }
      return hex(digest);
    }
  }

  /** The bytes of one tensor, read by position. */
  public static String tensor(Checkpoint checkpoint, TensorInfo tensor, StopFlag stop) {
    try (Arena arena = Arena.ofConfined()) {
      MessageDigest digest = sha256();
      MemorySegment buffer = arena.allocate(Math.max(1, Math.min(BUFFER_BYTES, tensor.bytes())));
      for (long offset = 0; offset < tensor.bytes(); offset += BUFFER_BYTES) {
        stop.check();
        MemorySegment slice = buffer.asSlice(0, Math.min(BUFFER_BYTES, tensor.bytes() - offset));
        checkpoint.read(tensor, offset, slice);
        digest.update(slice.asByteBuffer());
      }
      return hex(digest);
    }
  }
}
