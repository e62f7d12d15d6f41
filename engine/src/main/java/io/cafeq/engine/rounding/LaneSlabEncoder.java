package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridTile;
import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.BlockTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The fast encoder: floats, plain loops that C2 vectorises, the same bits on every CPU. */
public final class LaneSlabEncoder implements SlabEncoder {
  private final Map<TileKey, GridTile> tiles = new HashMap<>();
  private final Map<Integer, BlockTile> blockTiles = new HashMap<>();
  private float[] rows = new float[0];
  private byte[] rowCodes = new byte[0];
  private final SlabGrids grids = new SlabGrids();
  private @Nullable Scratch scratch;

  private record TileKey(GridSpec grid, int columns) {}

  /** V and the codes of one slab, in native memory. */
  private record Scratch(Arena arena, FloatMatrix values, MemorySegment codes) {}

  @Override
  public EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    return switch (transforms) {
      case SlabTransforms.None none -> switch (rule) {
        // Without a transform the metric is the identity, in which the nearest plane is the nearest level.
        case RoundingRule.Nearest nearest -> plain(weights, grid, buffers);
        case RoundingRule.NearestPlane plane -> plain(weights, grid, buffers);
        case RoundingRule.Stochastic drawn -> drawn(weights, grid, drawn, buffers);
      };
      case SlabTransforms.Blocks blocks -> transformed(weights, grid, blocks, rule, buffers);
    };
  }

  @Override
  public RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric) {
    GridTile tile = tile(grid, weights.columns());
    double sum = 0;
    for (int first = 0; first < weights.rows(); first += tile.maximumRows()) {
      int count = Math.min(tile.maximumRows(), weights.rows() - first);
      tile.load(rows(weights, first, count), count);
      tile.choose();
      sum += tile.squaredError();
    }
    return new RoundingErrors(sum, 0);
  }

  private EncodedSlab plain(FloatMatrix weights, GridSpec grid, SlabBuffers buffers) {
    int columns = weights.columns();
    GridTile tile = tile(grid, columns);
    double error = 0;
    double norm = 0;
    for (int first = 0; first < weights.rows(); first += tile.maximumRows()) {
      int count = Math.min(tile.maximumRows(), weights.rows() - first);
      float[] values = rows(weights, first, count);
      norm += squaredNorm(values, count * columns);
      tile.load(values, count);
      tile.choose();
      tile.store(buffers, first);
      error += tile.squaredError();
      byte[] codes = rowCodes(tile.maximumRows() * columns);
      tile.codes(codes);
      for (int row = 0; row < count; row++) {
        buffers.codes(first + row, codes, row * columns);
      }
    }
    return buffers.slab(weights.rows(), error, norm);
  }

  private EncodedSlab drawn(FloatMatrix weights, GridSpec grid, RoundingRule.Stochastic rule, SlabBuffers buffers) {
    int columns = weights.columns();
    double norm = chooseGrids(weights, weights, grid, buffers);
    double error = 0;
    BlockTile tile = blockTile(1);
    byte[] codes = rowCodes(columns);
    for (int row = 0; row < weights.rows(); row++) {
      for (int first = 0; first < columns; first += tile.lanes()) {
        int count = Math.min(tile.lanes(), columns - first);
        long from = (long) Float.BYTES * ((long) row * columns + first);
        MemorySegment.copy(weights.segment(), ValueLayout.JAVA_FLOAT, from, tile.transformed()[0], 0, count);
        int r = row;
        int start = first;
        error += tile.roundPlain(rule, grid.top(), count,
            only -> grids.loadRow(grid, columns, r, start, count, rule, tile));
        System.arraycopy(tile.codes()[0], 0, codes, first, count);
      }
      buffers.codes(row, codes, 0);
    }
    return buffers.slab(weights.rows(), error, norm);
  }

  private EncodedSlab transformed(
      FloatMatrix weights, GridSpec grid, SlabTransforms.Blocks transforms, RoundingRule rule, SlabBuffers buffers) {
    int columns = weights.columns();
    Scratch room = scratch(weights.rows(), columns);
    FloatMatrix values = new FloatMatrix(room.values().segment(), weights.rows(), columns);
    for (BlockTransform block : transforms.blocks()) {
      forward(weights, values, transforms.side(), block, channel(transforms, block));
    }
    double norm = chooseGrids(weights, values, grid, buffers);
    double error = 0;
    for (BlockTransform block : transforms.blocks()) {
      error += round(values, grid, transforms.side(), block, channel(transforms, block), rule, room.codes());
    }
    byte[] codes = rowCodes(columns);
    for (int row = 0; row < weights.rows(); row++) {
      MemorySegment.copy(room.codes(), ValueLayout.JAVA_BYTE, (long) row * columns, codes, 0, columns);
      buffers.codes(row, codes, 0);
    }
    return buffers.slab(weights.rows(), error, norm);
  }

  /** Where the block starts within the slab. */
  private static int channel(SlabTransforms.Blocks transforms, BlockTransform block) {
    return block.firstChannel() - transforms.blocks().getFirst().firstChannel();
  }

  private void forward(FloatMatrix weights, FloatMatrix values, Side side, BlockTransform block, int channel) {
    BlockTile tile = blockTile(block.k());
    BlockTransfer transfer = new BlockTransfer(side, block.k(), channel);
    int total = transfer.total(weights);
    for (int first = 0; first < total; first += tile.lanes()) {
      int count = Math.min(tile.lanes(), total - first);
      transfer.gather(weights, first, count, tile.entries());
      tile.apply(block, count);
      transfer.scatter(tile.transformed(), values, first, count);
    }
  }

  /** Grids of V for all rows; returns the squared norm of the weights. */
  private double chooseGrids(FloatMatrix weights, FloatMatrix values, GridSpec grid, SlabBuffers buffers) {
    int columns = values.columns();
    int groups = grid.groups(columns);
    grids.reserve(values.rows() * groups);
    GridTile tile = tile(grid, columns);
    double norm = 0;
    for (int first = 0; first < values.rows(); first += tile.maximumRows()) {
      int count = Math.min(tile.maximumRows(), values.rows() - first);
      norm += squaredNorm(rows(weights, first, count), count * columns);
      tile.load(rows(values, first, count), count);
      tile.choose();
      tile.store(buffers, first);
      grids.take(tile, first * groups);
    }
    return norm;
  }

  private double round(
      FloatMatrix values,
      GridSpec grid,
      Side side,
      BlockTransform block,
      int channel,
      RoundingRule rule,
      MemorySegment codes) {
    BlockTile tile = blockTile(block.k());
    BlockTransfer transfer = new BlockTransfer(side, block.k(), channel);
    int columns = values.columns();
    int total = transfer.total(values);
    double error = 0;
    for (int first = 0; first < total; first += tile.lanes()) {
      int count = Math.min(tile.lanes(), total - first);
      int start = first;
      transfer.gather(values, first, count, tile.transformed());
      error +=
          tile.round(
              block,
              rule,
              grid.top(),
              count,
              switch (side) {
                case OUTPUT -> row -> grids.loadRow(grid, columns, channel + row, start, count, rule, tile);
                case INPUT -> row -> grids.loadColumn(grid, columns, channel + row, start, count, rule, tile);
              });
      transfer.scatter(tile.codes(), codes, columns, first, count);
    }
    return error;
  }

  private float[] rows(FloatMatrix matrix, int first, int count) {
    float[] values = floats(count * matrix.columns());
    long from = (long) Float.BYTES * first * matrix.columns();
    MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT, from, values, 0, count * matrix.columns());
    return values;
  }

  /** Room for that many codes, and for the eight that packing may read beyond them. */
  private byte[] rowCodes(int count) {
    if (rowCodes.length < count + 8) {
      rowCodes = new byte[count + 8];
    }
    return rowCodes;
  }

  private float[] floats(int count) {
    if (rows.length < count) {
      rows = new float[count];
    }
    return rows;
  }

  /** Sum of squares in 512 fixed lanes. */
  private double squaredNorm(float[] values, int count) {
    int lanes = 512;
    float[] piece = Arrays.copyOf(values, lanes);
    float[] sums = new float[lanes];
    double total = 0;
    for (int at = 0; at < count; at += lanes) {
      int length = Math.min(lanes, count - at);
      System.arraycopy(values, at, piece, 0, length);
      LaneLoops.addSquares(piece, sums, length);
    }
    for (float sum : sums) {
      total += sum;
    }
    return total;
  }

  private GridTile tile(GridSpec grid, int columns) {
    return tiles.computeIfAbsent(new TileKey(grid, columns), key -> new GridTile(key.grid(), key.columns()));
  }

  private BlockTile blockTile(int k) {
    return blockTiles.computeIfAbsent(k, BlockTile::new);
  }

  private Scratch scratch(int rowCount, int columns) {
    Scratch present = scratch;
    if (present != null && present.values().elements() >= (long) rowCount * columns) {
      return present;
    }
    close();
    Arena arena = Arena.ofShared();
    Scratch room =
        new Scratch(
            arena, FloatMatrix.allocate(arena, rowCount, columns), arena.allocate((long) rowCount * columns, 64));
    scratch = room;
    return room;
  }

  /** Native bytes that a slab with transforms takes beside its weights. */
  public static long scratchBytes(int rows, int columns) {
    return 5L * rows * columns;
  }

  @Override
  public void close() {
    Scratch present = scratch;
    scratch = null;
    if (present != null) {
      present.arena().close();
    }
  }
}
