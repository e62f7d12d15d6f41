package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import io.cafeq.engine.transform.BlockTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rounds a slab in the metric of its columns, some hundred rows at a time: a batch of columns in
 * plain loops, then one product that tells all columns before it what the batch's errors ask of
 * them. Owns its scratch memory; not thread-safe.
 */
final class MetricSlab implements AutoCloseable {
  private static final int CHUNK_ROWS = 512;

  private final MatrixProducts products;
  private final ChunkBlocks blocks = new ChunkBlocks(CHUNK_ROWS);
  private @Nullable MetricTile tile;
  private @Nullable Room room;

  MetricSlab(MatrixProducts products) {
    this.products = products;
  }

  /** What batches take from the columns before them, and the errors of one batch. */
  private record Room(Arena arena, MemorySegment taken, MemorySegment batch) {}

  /** What is rounded and how. */
  record Task(
      FloatMatrix values,
      InputMetric metric,
      GridSpec grid,
      SlabGrids grids,
      RoundingRule rule,
      MemorySegment codes) {}

  /** Consecutive rows that are rounded together. */
  private record Chunk(int first, int rows) {}

  /**
   * Puts deviations in the place of V and returns their squared error, with the transform of the
   * output side undone, and that in the metric.
   */
  RoundingErrors round(Task task, SlabTransforms transforms) {
    RoundingErrors errors = new RoundingErrors(0, 0);
    if (transforms instanceof SlabTransforms.Blocks(Side side, List<BlockTransform> all)
        && side == Side.OUTPUT
        && all.getFirst().signs().isEmpty()) {
      int first = 0;
      for (List<BlockTransform> chunk : ChunkBlocks.chunks(all, CHUNK_ROWS)) {
        int rows = chunk.stream().mapToInt(BlockTransform::k).sum();
        blocks.set(chunk);
        errors = errors.plus(round(task, new Chunk(first, rows)));
        first += rows;
      }
      return errors;
    }
    int total = task.values().rows();
    for (int first = 0; first < total; first += CHUNK_ROWS) {
      int rows = Math.min(CHUNK_ROWS, total - first);
      blocks.clear(rows);
      errors = errors.plus(round(task, new Chunk(first, rows)));
    }
    return errors;
  }

  private RoundingErrors round(Task task, Chunk chunk) {
    RoundingErrors errors = new RoundingErrors(0, 0);
    for (InputMetric.Block block : task.metric().blocks()) {
      int n = block.size();
      FloatMatrix taken = taken(chunk.rows(), n);
      taken.segment().fill((byte) 0);
      for (int first = (n - 1) / MetricTile.BATCH * MetricTile.BATCH;
          first >= 0;
          first -= MetricTile.BATCH) {
        int width = Math.min(MetricTile.BATCH, n - first);
        MetricTile.Place place =
            new MetricTile.Place(block, first, width, chunk.first(), chunk.rows());
        FloatMatrix batch = batch(chunk.rows(), width);
        errors = errors.plus(round(task, place, taken, batch));
        if (first > 0) {
          products.multiply(
              1,
              MatrixView.of(batch),
              false,
              new MatrixView(block.upper(), 0, first, first, width),
              true,
              1,
              MatrixView.columns(taken, 0, first));
        }
      }
    }
    return errors;
  }

  private RoundingErrors round(
      Task task, MetricTile.Place place, FloatMatrix taken, FloatMatrix batch) {
    MetricTile lanes = tile(place.rows());
    int columns = task.values().columns();
    lanes.load(place, task.values(), taken);
    RoundingErrors errors =
        lanes.round(
            place,
            blocks,
            task.rule(),
            task.grid().top(),
            channel ->
                task.grids()
                    .loadColumn(
                        task.grid(),
                        columns,
                        channel,
                        place.row(),
                        place.rows(),
                        task.rule(),
                        lanes.grids()));
    lanes.store(place, task.values(), task.codes(), batch);
    return errors;
  }

  /** Sum over rows of x^T H x. */
  double squaredNorm(FloatMatrix rows, InputMetric metric) {
    double sum = 0;
    float[] line = new float[MetricTile.BATCH];
    for (int row = 0; row < rows.rows(); row += CHUNK_ROWS) {
      int count = Math.min(CHUNK_ROWS, rows.rows() - row);
      for (InputMetric.Block block : metric.blocks()) {
        int n = block.size();
        FloatMatrix ordered = taken(count, n);
        gather(rows, row, block.channels(), ordered);
        for (int first = 0; first < n; first += MetricTile.BATCH) {
          int width = Math.min(MetricTile.BATCH, n - first);
          FloatMatrix batch = batch(count, width);
          products.multiply(
              1,
              MatrixView.columns(ordered, first, n - first),
              false,
              new MatrixView(block.upper(), first, first, width, n - first),
              true,
              0,
              MatrixView.of(batch));
          for (int i = 0; i < count; i++) {
            MemorySegment.copy(
                batch.segment(),
                ValueLayout.JAVA_FLOAT,
                (long) Float.BYTES * i * width,
                line,
                0,
                width);
            for (int c = 0; c < width; c++) {
              sum += block.squares()[first + c] * line[c] * line[c];
            }
          }
        }
      }
    }
    return sum;
  }

  private static void gather(FloatMatrix rows, int first, int[] channels, FloatMatrix to) {
    for (int i = 0; i < to.rows(); i++) {
      long from = (long) (first + i) * rows.columns();
      long at = (long) i * channels.length;
      for (int c = 0; c < channels.length; c++) {
        to.segment()
            .setAtIndex(
                ValueLayout.JAVA_FLOAT,
                at + c,
                rows.segment().getAtIndex(ValueLayout.JAVA_FLOAT, from + channels[c]));
      }
    }
  }

  private MetricTile tile(int rows) {
    MetricTile present = tile;
    if (present != null && present.lanes() >= rows) {
      return present;
    }
    MetricTile made = new MetricTile(Math.max(rows, CHUNK_ROWS));
    tile = made;
    return made;
  }

  private FloatMatrix taken(int rows, int n) {
    long bytes = (long) Float.BYTES * rows * n;
    return new FloatMatrix(room(bytes, rows).taken().asSlice(0, bytes), rows, n);
  }

  private FloatMatrix batch(int rows, int width) {
    long bytes = (long) Float.BYTES * rows * width;
    return new FloatMatrix(room(0, rows).batch().asSlice(0, bytes), rows, width);
  }

  private Room room(long takenBytes, int rows) {
    Room present = room;
    long batchBytes = (long) Float.BYTES * rows * MetricTile.BATCH;
    if (present != null
        && present.taken().byteSize() >= takenBytes
        && present.batch().byteSize() >= batchBytes) {
      return present;
    }
    close();
    Arena arena = Arena.ofShared();
    Room made =
        new Room(
            arena, arena.allocate(Math.max(takenBytes, 64), 64), arena.allocate(batchBytes, 64));
    room = made;
    return made;
  }

  /** Native bytes at most, beside the slab's own scratch. */
  static long scratchBytes(int rows, int columns) {
    return (long) Float.BYTES * Math.min(rows, CHUNK_ROWS) * (columns + MetricTile.BATCH);
  }

  @Override
  public void close() {
    Room present = room;
    room = null;
    if (present != null) {
      present.arena().close();
    }
  }
}
