package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.checkpoint.ElementTransposer;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Takes the rows of matrices [out, in] in order and gives their encoded bytes as [in, out], matrix
 * after matrix. Some rows at a time are turned and put into a file, which holds one matrix; once
 * that is complete, it is read back in stripes of input channels. Memory: about 6 MiB, more only
 * where a row has more than 1 MiB or a column more than 4. Not thread-safe; closing removes the
 * file.
 */
final class TurnedTensor implements AutoCloseable {
  private static final long CHUNK_BYTES = 1L << 20;
  private static final long STRIPE_BYTES = 4L << 20;

  /** Some rows of the matrix in the file, as [in, rows]. */
  private record Chunk(long position, int firstRow, int rows) {}

  private final Path path;
  private final Entry tensor;
  private final int rows;
  private final int columns;
  private final int size;
  private final WeightEncoder encoder;
  private final Consumer<MemorySegment> consumer;
  private final ElementTransposer transposer = new ElementTransposer();
  private final List<Chunk> chunks = new ArrayList<>();
  private final int chunkRows;
  private final int stripeColumns;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment encoded;
  private final MemorySegment turned;
  private final MemorySegment stripe;
  private final FileChannel file;

  /**
   * @param folder where the file is meanwhile
   * @param tensor as it is written: [in, out] or [experts, in, out]
   * @param consumer takes bytes, borrowed during the call
   */
  TurnedTensor(Path folder, Entry tensor, WeightEncoder encoder, Consumer<MemorySegment> consumer) {
    this.path = folder.resolve("turned.tmp");
    this.tensor = tensor;
    this.rows = Math.toIntExact(tensor.shape().getLast());
    this.columns = Math.toIntExact(tensor.shape().get(tensor.shape().size() - 2));
    this.size = tensor.dtype().bytes();
    this.encoder = encoder;
    this.consumer = consumer;
    long rowBytes = (long) columns * size;
    long columnBytes = (long) rows * size;
    this.chunkRows = (int) Math.clamp(CHUNK_BYTES / rowBytes, 1, rows);
    this.stripeColumns = (int) Math.clamp(STRIPE_BYTES / columnBytes, 1, columns);
    try {
      this.file =
          FileChannel.open(
              path,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.DELETE_ON_CLOSE);
    } catch (IOException e) {
      throw FileFailure.of("write", path, e);
    }
    this.encoded = arena.allocate(chunkRows * rowBytes, 64);
    this.turned = arena.allocate(chunkRows * rowBytes, 64);
    this.stripe = arena.allocate(stripeColumns * columnBytes, 64);
  }

  /**
   * Rows [firstRow, firstRow + weights.rows), counted through all experts, that follow those of the
   * last call.
   */
  void put(long firstRow, FloatMatrix weights) {
    for (int done = 0; done < weights.rows(); ) {
      int row = (int) ((firstRow + done) % rows);
      int count = Math.min(Math.min(chunkRows, rows - row), weights.rows() - done);
      chunk(firstRow + done, row, weights.slice(done, count));
      done += count;
      if (row + count == rows) {
        give();
      }
    }
  }

  private void chunk(long firstRow, int row, FloatMatrix weights) {
    long[] at = {0};
    encoder.encode(
        tensor,
        firstRow,
        weights,
        piece -> {
          MemorySegment.copy(piece, 0, encoded, at[0], piece.byteSize());
          at[0] += piece.byteSize();
        });
    transposer.transpose(
        new ElementTransposer.Area(encoded, 0, (long) columns * size),
        weights.rows(),
        columns,
        size,
        new ElementTransposer.Area(turned, 0, (long) weights.rows() * size));
    long position = (long) row * columns * size;
    write(turned.asSlice(0, weights.elements() * size).asByteBuffer(), position);
    chunks.add(new Chunk(position, row, weights.rows()));
  }

  private void give() {
    for (int column = 0; column < columns; column += stripeColumns) {
      int count = Math.min(stripeColumns, columns - column);
      for (Chunk chunk : chunks) {
        gather(chunk, column, count);
      }
      consumer.accept(stripe.asSlice(0, (long) count * rows * size));
    }
    chunks.clear();
  }

  private void gather(Chunk chunk, int column, int count) {
    long width = (long) chunk.rows() * size;
    read(turned.asSlice(0, count * width).asByteBuffer(), chunk.position() + column * width);
    for (int i = 0; i < count; i++) {
      MemorySegment.copy(
          turned, i * width, stripe, ((long) i * rows + chunk.firstRow()) * size, width);
    }
  }

  private void write(ByteBuffer bytes, long position) {
    try {
      for (long at = position; bytes.hasRemaining(); ) {
        at += file.write(bytes, at);
      }
    } catch (IOException e) {
      throw FileFailure.of("write", path, e);
    }
  }

  private void read(ByteBuffer bytes, long position) {
    try {
      for (long at = position; bytes.hasRemaining(); ) {
        int count = file.read(bytes, at);
        if (count < 0) {
          throw new IOException("the file ended at byte " + at);
        }
        at += count;
      }
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    }
  }

  @Override
  public void close() {
    try (arena) {
      file.close();
    } catch (IOException e) {
      throw FileFailure.of("write", path, e);
    }
  }
}
