package io.cafeq.engine.estimate;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Streams rows of matrices by, a slab at a time. Made, used and closed on one thread; owns its slab
 * and its reader, borrows the checkpoint.
 */
final class WeightScan implements AutoCloseable {
  private static final long SLAB_BYTES = 256L << 10;

  private static final Logger LOG = LoggerFactory.getLogger(WeightScan.class);

  private final Checkpoint checkpoint;
  private final TensorReader reader;
  private final Consumer<TensorInfo> reading;
  private final StopFlag stop;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment slab;

  /** Receives one row. */
  @FunctionalInterface
  interface Visitor {
    /**
     * @param place of the row among those asked for
     * @param weights [columns], used again for the next row
     */
    void row(int place, float[] weights);
  }

  /**
   * @param columns of the widest matrix
   * @param reading told of each stored tensor before it is read, perhaps more than once
   */
  WeightScan(Checkpoint checkpoint, int columns, Consumer<TensorInfo> reading, StopFlag stop) {
    this.checkpoint = checkpoint;
    this.reader = checkpoint.newReader();
    this.reading = reading;
    this.stop = stop;
    this.slab = arena.allocate(slabBytes(columns), 64);
  }

  /** Native bytes that a scan of matrices of at most so many columns takes. */
  static long bytes(int columns) {
    return slabBytes(columns) + TensorReader.SCRATCH_BYTES;
  }

  private static long slabBytes(int columns) {
    return Math.max(SLAB_BYTES, (long) columns * Float.BYTES);
  }

  /**
   * Hands over the rows in their order. Rows that are read together with weights that are not
   * finite count nothing: the unit that holds them fails and names them, and others need not.
   */
  void visit(MatrixRows rows, Visitor visitor) {
    WeightTensor weight = rows.weight();
    weight.sources().forEach(reading);
    int columns = weight.columns();
    float[] row = new float[columns];
    int most = (int) Math.max(1, slab.byteSize() / ((long) columns * Float.BYTES));
    for (int first = rows.bands().first(); first < rows.bands().end(); first += most) {
      stop.check();
      int count = Math.min(most, rows.bands().end() - first);
      FloatMatrix part =
          new FloatMatrix(slab.asSlice(0, (long) count * columns * Float.BYTES), count, columns);
      try {
        reader.readFloats(weight, rows.firstOfExpert() + first, 0, part);
      } catch (CheckpointException e) {
        LOG.debug("Left out of the estimate: {}", e.getMessage());
        continue;
      }
      for (int i = 0; i < count; i++) {
        int place = rows.bands().place(first + i);
        if (place >= 0) {
          long from = (long) i * columns * Float.BYTES;
          MemorySegment.copy(part.segment(), ValueLayout.JAVA_FLOAT, from, row, 0, columns);
          visitor.row(place, row);
        }
      }
    }
  }

  /** The elements of a vector. */
  float[] vector(String name) {
    TensorInfo tensor = checkpoint.tensor(name).orElseThrow();
    reading.accept(tensor);
    return reader.readVector(tensor);
  }

  @Override
  public void close() {
    try (arena) {
      reader.close();
    }
  }
}
