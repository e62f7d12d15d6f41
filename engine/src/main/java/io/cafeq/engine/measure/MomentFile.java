package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.statistics.MomentSums;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * The file of one layer's moments: safetensors, so that anything can read it. Of each input and
 * block a tensor {@code INPUT#00000} of F32 [n (n + 1) / 2]: the upper triangle row by row, means
 * over tokens, not damped. {@code __metadata__} holds what is in {@link Origin}, {@code
 * payload_sha256} over the tensors' bytes in the file's order, {@code header_sha256} over the
 * header with 64 zeros in its own place, and for every input {@code tokens:INPUT}. An expert that
 * saw too few tokens has the count and no tensor.
 */
public final class MomentFile {
  static final String IDENTITY = "identity";
  static final String KERNEL = "kernel";
  static final String SOURCE = "source_sha256";
  static final String HEADER = "header_sha256";
  static final String NO_HASH = "0".repeat(64);
  static final String PAYLOAD = "payload_sha256";
  static final String TOKENS = "tokens:";

  /** Native bytes that {@link #write} takes beside the sums; one row of the widest input fits. */
  public static final long WRITE_BYTES = 1L << 20;

  private MomentFile() {}

  /**
   * What moments come from.
   *
   * @param identity hash of what decides them, but for weights and kernel
   * @param sourceSha256 of the weights that were read
   * @param kernel that computed them
   */
  public record Origin(String identity, String sourceSha256, String kernel) {}

  /**
   * A file that stands.
   *
   * @param sha256 of the whole file
   */
  public record Receipt(long bytes, String sha256) {}

  private record Block(SafetensorsWriter.Entry entry, MomentSums sums, int number) {}

  /**
   * Writes the file, synced and renamed. Throws with kind CHECKPOINT where moments are not finite,
   * ENVIRONMENT where the disk is full, STOPPED; leaves nothing under the name then.
   */
  public static Receipt write(Path file, Origin origin, List<MomentSums> inputs, StopFlag stop) {
    List<Block> blocks = new ArrayList<>();
    SortedMap<String, String> metadata = new TreeMap<>();
    for (MomentSums sums : inputs) {
      metadata.put(TOKENS + sums.input().name(), Long.toString(sums.tokens()));
      if (sums.isEnough()) {
        for (int i = 0; i < sums.blocks().spans().size(); i++) {
          String name = tensor(sums.input().name(), i);
          long packed = sums.blocks().spans().get(i).packed();
          blocks.add(
              new Block(new SafetensorsWriter.Entry(name, Dtype.F32, List.of(packed)), sums, i));
        }
      }
    }
    blocks.sort(Comparator.comparing(Block::entry, SafetensorsWriter.ORDER));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment piece = arena.allocate(WRITE_BYTES, 64);
      MessageDigest digest = Digests.sha256();
      // hashed before it is written, since the header that holds the hash comes first
      for (Block block : blocks) {
        pieces(block, piece, stop, bytes -> digest.update(bytes.asByteBuffer()));
      }
      metadata.put(IDENTITY, origin.identity());
      metadata.put(SOURCE, origin.sourceSha256());
      metadata.put(KERNEL, origin.kernel());
      metadata.put(PAYLOAD, Digests.hex(digest));
      metadata.put(HEADER, NO_HASH);
      List<SafetensorsWriter.Entry> entries = blocks.stream().map(Block::entry).toList();
      digest.update(SafetensorsWriter.header(entries, metadata));
      metadata.put(HEADER, Digests.hex(digest));
      try (SafetensorsWriter writer = SafetensorsWriter.create(file, entries, metadata)) {
        for (Block block : blocks) {
          pieces(block, piece, stop, bytes -> writer.append(block.entry().name(), bytes));
        }
        writer.finish();
      }
    }
    return new Receipt(size(file), Digests.file(file, stop));
  }

  /** What the tensor of an input's block is called. */
  static String tensor(String input, int block) {
    return "%s#%05d".formatted(input, block);
  }

  static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  private static void pieces(
      Block block, MemorySegment piece, StopFlag stop, Consumer<MemorySegment> consumer) {
    int channels = block.sums().blocks().spans().get(block.number()).count();
    long filled = 0;
    for (int row = 0; row < channels; row++) {
      long bytes = (long) (channels - row) * Float.BYTES;
      if (filled + bytes > piece.byteSize()) {
        stop.check();
        consumer.accept(piece.asSlice(0, filled));
        filled = 0;
      }
      block.sums().means(block.number(), row, piece.asSlice(filled, bytes));
      filled += bytes;
    }
    consumer.accept(piece.asSlice(0, filled));
  }
}
