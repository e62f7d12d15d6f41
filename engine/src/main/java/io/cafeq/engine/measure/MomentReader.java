package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.MomentSums;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One layer's file of moments, open. The header makes sense once this is made; that all of the file
 * is what was written is known once {@link #requireIntact} has returned. Whatever is wrong with the
 * file is an EngineException of kind RESULT. Used by one thread.
 */
public final class MomentReader implements AutoCloseable {
  private static final long SCRATCH = 1L << 20;
  private static final long MOST_CHANNELS = 1L << 20;

  private final Path file;
  private final Checkpoint opened;
  private final SortedMap<String, Long> tokens = new TreeMap<>();
  private final SortedMap<String, List<TensorInfo>> blocks = new TreeMap<>();
  private final SortedMap<String, TensorInfo> diagonals = new TreeMap<>();

  private MomentReader(Path file, Checkpoint opened) {
    this.file = file;
    this.opened = opened;
  }

  /** Reads and checks the header. */
  public static MomentReader open(Path file) {
    Checkpoint opened;
    try {
      opened = Checkpoint.open(file);
    } catch (EngineException e) {
      throw translated(file, e);
    }
    MomentReader reader = new MomentReader(file, opened);
    try {
      reader.readHeader();
      return reader;
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  /** Where the moments come from. */
  public MomentFile.Origin origin() {
    return new MomentFile.Origin(
        metadata(MomentFile.IDENTITY), metadata(MomentFile.SOURCE), metadata(MomentFile.KERNEL));
  }

  /** Tokens that each input saw. */
  public SortedMap<String, Long> tokens() {
    return tokens;
  }

  /** Throws unless the file's bytes are those that were written. */
  public void requireIntact(StopFlag stop) {
    requireHeader();
    MessageDigest digest = Digests.sha256();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment scratch = arena.allocate(SCRATCH, 64);
      for (TensorInfo tensor : opened.tensors()) {
        for (long at = 0; at < tensor.bytes(); at += SCRATCH) {
          stop.check();
          MemorySegment piece = scratch.asSlice(0, Math.min(SCRATCH, tensor.bytes() - at));
          read(tensor, at, piece);
          digest.update(piece.asByteBuffer());
        }
      }
    }
    if (!Digests.hex(digest).equals(metadata(MomentFile.PAYLOAD))) {
      throw damaged(file, "its numbers are not those that were written");
    }
  }

  private void requireHeader() {
    String stored = metadata(MomentFile.HEADER);
    MessageDigest digest = Digests.sha256();
    try (InputStream in = Files.newInputStream(file)) {
      ByteBuffer length = ByteBuffer.wrap(in.readNBytes(Long.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
      // each byte a character, so that nothing is lost on the way
      String header =
          new String(in.readNBytes((int) length.getLong()), StandardCharsets.ISO_8859_1);
      digest.update(
          header.replace(stored, MomentFile.NO_HASH).getBytes(StandardCharsets.ISO_8859_1));
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    if (!Digests.hex(digest).equals(stored)) {
      throw damaged(file, "its header is not the one that was written");
    }
  }

  /** Whether there are moments of the input, beyond a diagonal. */
  public boolean hasBlocks(String input) {
    return blocks.containsKey(input);
  }

  /**
   * The moments of an input as squares that {@code arena} owns, of its diagonal alone where no more
   * is known; empty where there are none.
   */
  public Optional<InputMoments> read(String input, int channels, Arena arena) {
    List<TensorInfo> stored = blocks.get(input);
    if (stored == null) {
      return diagonal(input)
          .map(
              diagonal -> {
                requireChannels(input, channels, diagonal.length);
                return InputMoments.ofDiagonal(
                    input, tokens.getOrDefault(input, 0L), diagonal, arena);
              });
    }
    requireChannels(input, channels, stored.stream().mapToInt(MomentReader::channels).sum());
    List<InputMoments.Block> moments = new ArrayList<>();
    int first = 0;
    try (Arena own = Arena.ofConfined()) {
      MemorySegment scratch = own.allocate(SCRATCH, 64);
      for (TensorInfo tensor : stored) {
        int size = channels(tensor);
        FloatMatrix square = FloatMatrix.allocate(arena, size, size);
        UpperTriangle.read((at, piece) -> read(tensor, at, piece), square, scratch);
        moments.add(new InputMoments.Block(first, square));
        first += size;
      }
    }
    return Optional.of(new InputMoments(input, tokens.getOrDefault(input, 0L), moments));
  }

  /** Names of the inputs of which a diagonal is stored. */
  public SortedSet<String> diagonals() {
    return new TreeSet<>(diagonals.keySet());
  }

  /** The stored diagonal of an input; empty where there is none. */
  public Optional<float[]> diagonal(String input) {
    TensorInfo tensor = diagonals.get(input);
    if (tensor == null) {
      return Optional.empty();
    }
    float[] diagonal = new float[(int) tensor.elements()];
    try (Arena own = Arena.ofConfined()) {
      MemorySegment bytes = own.allocate(tensor.bytes(), 64);
      read(tensor, 0, bytes);
      MemorySegment.copy(bytes, MomentSums.FLOATS, 0, diagonal, 0, diagonal.length);
    }
    for (float entry : diagonal) {
      if (!(entry >= 0) || Float.isInfinite(entry)) {
        throw damaged(file, "the diagonal of " + input + " holds " + entry);
      }
    }
    return Optional.of(diagonal);
  }

  /** The measured diagonal of an input, across its blocks; empty where none was measured. */
  public Optional<double[]> measuredDiagonal(String input) {
    List<TensorInfo> stored = blocks.get(input);
    if (stored == null) {
      return Optional.empty();
    }
    double[] diagonal = new double[stored.stream().mapToInt(MomentReader::channels).sum()];
    int at = 0;
    try (Arena own = Arena.ofConfined()) {
      MemorySegment entry = own.allocate(Float.BYTES, Float.BYTES);
      for (TensorInfo tensor : stored) {
        int size = channels(tensor);
        for (int row = 0; row < size; row++) {
          long before = (long) row * size - (long) row * (row - 1) / 2;
          read(tensor, before * Float.BYTES, entry);
          diagonal[at++] = entry.get(MomentSums.FLOATS, 0);
        }
      }
    }
    return Optional.of(diagonal);
  }

  private void requireChannels(String input, int channels, int found) {
    if (found != channels) {
      throw damaged(
          file, "input " + input + " should have " + channels + " channels, found " + found);
    }
  }

  @Override
  public void close() {
    opened.close();
  }

  private void readHeader() {
    for (Map.Entry<String, String> entry : opened.metadata().entrySet()) {
      if (entry.getKey().startsWith(MomentFile.TOKENS)) {
        tokens.put(
            entry.getKey().substring(MomentFile.TOKENS.length()),
            count(entry.getKey(), entry.getValue()));
      }
    }
    origin();
    metadata(MomentFile.PAYLOAD);
    metadata(MomentFile.HEADER);
    List<TensorInfo> tensors =
        opened.tensors().stream().sorted(Comparator.comparing(TensorInfo::name)).toList();
    for (TensorInfo tensor : tensors) {
      String input = tensor.name().substring(0, Math.max(0, tensor.name().lastIndexOf('#')));
      if (isDiagonal(tensor)) {
        diagonals.put(input, tensor);
        continue;
      }
      List<TensorInfo> ofInput = blocks.computeIfAbsent(input, name -> new ArrayList<>());
      boolean fits =
          tensor.dtype() == Dtype.F32
              && tensor.shape().size() == 1
              && channels(tensor) > 0
              && tokens.getOrDefault(input, 0L) > 0
              && tensor.name().equals(MomentFile.tensor(input, ofInput.size()));
      if (!fits) {
        throw damaged(
            file,
            "tensor "
                + tensor.name()
                + " of "
                + tensor.dtype()
                + " "
                + tensor.shape()
                + " is no diagonal, and no upper triangle of an input's next block");
      }
      ofInput.add(tensor);
    }
  }

  private static boolean isDiagonal(TensorInfo tensor) {
    return tensor.name().endsWith(MomentFile.DIAGONAL)
        && tensor.dtype() == Dtype.F32
        && tensor.shape().size() == 1
        && tensor.elements() > 0
        && tensor.elements() <= MOST_CHANNELS;
  }

  private long count(String key, String value) {
    try {
      long count = Long.parseLong(value);
      if (count >= 0) {
        return count;
      }
    } catch (NumberFormatException e) {
      throw damaged(file, "metadata " + key + " should be a number, found " + value, e);
    }
    throw damaged(
        file, "metadata " + key + " should be a number that is not negative, found " + value);
  }

  private String metadata(String key) {
    String value = opened.metadata().get(key);
    if (value == null) {
      throw damaged(file, "metadata " + key + " is missing");
    }
    return value;
  }

  /** n of a tensor with n (n + 1) / 2 entries; 0 where there is no such n. */
  private static int channels(TensorInfo tensor) {
    long packed = tensor.elements();
    long size = (long) ((Math.sqrt(8.0 * packed + 1) - 1) / 2);
    return size * (size + 1) / 2 == packed && size <= MOST_CHANNELS ? (int) size : 0;
  }

  private void read(TensorInfo tensor, long offset, MemorySegment target) {
    try {
      opened.read(tensor, offset, target);
    } catch (EngineException e) {
      throw translated(file, e);
    }
  }

  /** The reader speaks of checkpoints, but this file is the program's own. */
  private static EngineException translated(Path file, EngineException e) {
    return switch (e.kind()) {
      case CHECKPOINT -> damaged(file, "cannot be read as safetensors: " + e.getMessage(), e);
      case USAGE -> damaged(file, "is missing", e);
      case ENVIRONMENT, RESULT, STOPPED -> e;
    };
  }

  private static EngineException damaged(Path file, String what) {
    return damaged(file, what, null);
  }

  private static EngineException damaged(Path file, String what, @Nullable Throwable cause) {
    return new EngineException(
        FailureKind.RESULT,
        file + ": " + what,
        "Delete this one file and run the same quantize command again, which makes it anew.",
        cause);
  }
}
