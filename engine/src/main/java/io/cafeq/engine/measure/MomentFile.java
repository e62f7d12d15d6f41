package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.statistics.MomentBlocks;
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
 * header with 64 zeros in its own place, and for every input {@code tokens:INPUT}. Where only the
 * diagonal is known, estimated or of an expert that saw too few tokens, a tensor {@code
 * INPUT#diagonal} of F32 [n] stands for the blocks.
 */
public final class MomentFile {
  static final String IDENTITY = "identity";
  static final String KERNEL = "kernel";
  static final String SOURCE = "source_sha256";
  static final String HEADER = "header_sha256";
  static final String NO_HASH = "0".repeat(64);
  static final String PAYLOAD = "payload_sha256";
  static final String TOKENS = "tokens:";
  static final String DIAGONAL = "#diagonal";

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

  /** A tensor, and what hands over its bytes piece by piece. */
  private record Content(SafetensorsWriter.Entry entry, Consumer<Consumer<MemorySegment>> bytes) {}

  /**
   * Writes the file, synced and renamed. Throws with kind CHECKPOINT where moments are not finite,
   * ENVIRONMENT where the disk is full, STOPPED; leaves nothing under the name then.
   */
  public static Receipt write(Path file, Origin origin, List<MomentSums> inputs, StopFlag stop) {
    List<Content> contents = new ArrayList<>();
    SortedMap<String, String> metadata = new TreeMap<>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment piece = arena.allocate(WRITE_BYTES, 64);
      for (MomentSums sums : inputs) {
        metadata.put(TOKENS + sums.input().name(), Long.toString(sums.tokens()));
        if (sums.isEnough()) {
          for (int i = 0; i < sums.blocks().spans().size(); i++) {
            contents.add(block(sums, i, piece, stop));
          }
        } else if (sums.tokens() > 0) {
          contents.add(diagonal(sums.input().name(), sums.diagonal()));
        }
      }
      return write(file, origin, contents, metadata, stop);
    }
  }

  /**
   * Writes a file of diagonals alone, of no tokens; as the other.
   *
   * @param diagonals by input, [channels]
   */
  public static Receipt writeDiagonals(
      Path file, Origin origin, SortedMap<String, float[]> diagonals, StopFlag stop) {
    List<Content> contents = new ArrayList<>();
    diagonals.forEach((input, diagonal) -> contents.add(diagonal(input, diagonal)));
    return write(file, origin, contents, new TreeMap<>(), stop);
  }

  private static Receipt write(
      Path file,
      Origin origin,
      List<Content> contents,
      SortedMap<String, String> metadata,
      StopFlag stop) {
    contents.sort(Comparator.comparing(Content::entry, SafetensorsWriter.ORDER));
    MessageDigest digest = Digests.sha256();
    // hashed before it is written, since the header that holds the hash comes first
    for (Content content : contents) {
      content.bytes().accept(bytes -> digest.update(bytes.asByteBuffer()));
    }
    metadata.put(IDENTITY, origin.identity());
    metadata.put(SOURCE, origin.sourceSha256());
    metadata.put(KERNEL, origin.kernel());
    metadata.put(PAYLOAD, Digests.hex(digest));
    metadata.put(HEADER, NO_HASH);
    List<SafetensorsWriter.Entry> entries = contents.stream().map(Content::entry).toList();
    digest.update(SafetensorsWriter.header(entries, metadata));
    metadata.put(HEADER, Digests.hex(digest));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, entries, metadata)) {
      for (Content content : contents) {
        content.bytes().accept(bytes -> writer.append(content.entry().name(), bytes));
      }
      writer.finish();
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

  private static Content diagonal(String input, float[] values) {
    SafetensorsWriter.Entry entry =
        new SafetensorsWriter.Entry(input + DIAGONAL, Dtype.F32, List.of((long) values.length));
    return new Content(
        entry,
        consumer -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(MomentSums.FLOATS, values.length);
            MemorySegment.copy(values, 0, bytes, MomentSums.FLOATS, 0, values.length);
            consumer.accept(bytes);
          }
        });
  }

  /**
   * @param piece of memory that is used for whatever comes
   */
  private static Content block(MomentSums sums, int number, MemorySegment piece, StopFlag stop) {
    String name = tensor(sums.input().name(), number);
    MomentBlocks.Span span = sums.blocks().spans().get(number);
    return new Content(
        new SafetensorsWriter.Entry(name, Dtype.F32, List.of(span.packed())),
        consumer -> pieces(sums, number, piece, stop, consumer));
  }

  private static void pieces(
      MomentSums sums,
      int number,
      MemorySegment piece,
      StopFlag stop,
      Consumer<MemorySegment> consumer) {
    int channels = sums.blocks().spans().get(number).count();
    long filled = 0;
    for (int row = 0; row < channels; row++) {
      long bytes = (long) (channels - row) * Float.BYTES;
      if (filled + bytes > piece.byteSize()) {
        stop.check();
        consumer.accept(piece.asSlice(0, filled));
        filled = 0;
      }
      sums.means(number, row, piece.asSlice(filled, bytes));
      filled += bytes;
    }
    consumer.accept(piece.asSlice(0, filled));
  }
}
