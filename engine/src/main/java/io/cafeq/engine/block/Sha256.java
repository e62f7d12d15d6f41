package io.cafeq.engine.block;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 over pieces, as lower-case hexadecimal at the end. Not thread-safe. */
public final class Sha256 {
  private static final int PIECE = 1 << 18;

  private final MessageDigest digest;

  public Sha256() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Of a whole file. */
  public static String of(Path file) throws IOException {
    Sha256 sha = new Sha256();
    ByteBuffer piece = ByteBuffer.allocate(PIECE);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      while (channel.read(piece) >= 0) {
        sha.update(piece.flip());
        piece.clear();
      }
    }
    return sha.finish();
  }

  /** Takes what remains in the buffer. */
  public void update(ByteBuffer bytes) {
    digest.update(bytes);
  }

  /** Takes a segment of at most 2 GiB. */
  public void update(MemorySegment bytes) {
    digest.update(bytes.asByteBuffer());
  }

  public String finish() {
    return HexFormat.of().formatHex(digest.digest());
  }
}
