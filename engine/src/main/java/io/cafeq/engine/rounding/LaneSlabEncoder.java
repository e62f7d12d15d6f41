package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridTile;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.transform.BlockTransform;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The fast encoder: floats, plain loops that C2 vectorises, the same bits on every CPU. */
public final class LaneSlabEncoder implements SlabEncoder {
  /** Weights of a tile, or one row where that is longer. */
  private static final long TILE_WEIGHTS = 1 << 16;

  /** Of a weight in a tile of grids: itself, its code, and how much it counts. */
  private static final long GRID_TILE_BYTES = 2 * Float.BYTES + 1;

  /** Of a group in a tile of grids. */
  private static final long GROUP_BYTES = 80;

  /** Of a weight in a tile of blocks: W, V and the code. */
  private static final long BLOCK_TILE_BYTES = 2 * Float.BYTES + 1;

  /** Of a group's chosen grid. */
  private static final long CHOSEN_BYTES = 3 * Float.BYTES;

  /** Columns of a batch of a metric, and corrections of its rows. */
  private static final long METRIC_TILE_BYTES = 2 << 20;

  private final Map<Integer, BlockTile> blockTiles = new HashMap<>();
  private byte[] rowCodes = new byte[0];
  private final GridChooser chooser = new GridChooser();
  private final MetricSlab metricSlab;
  private final SlabScratch scratch = new SlabScratch();

  /** Borrows the products. */
  public LaneSlabEncoder(MatrixProducts products) {
    metricSlab = new MetricSlab(products);
  }

  @Override
  public EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    if (!metric.isNone()) {
      return inMetric(weights, grid, transforms, metric, rule, buffers);
    }
    return switch (transforms) {
      case SlabTransforms.None none ->
          switch (rule) {
            // Without a transform the metric is the identity, in which the nearest plane is the
            // nearest level.
            case RoundingRule.Nearest nearest -> plain(weights, grid, buffers);
            case RoundingRule.NearestPlane plane -> plain(weights, grid, buffers);
            case RoundingRule.Stochastic drawn -> drawn(weights, grid, drawn, buffers);
          };
      case SlabTransforms.Blocks blocks -> transformed(weights, grid, blocks, rule, buffers);
    };
  }

  @Override
  public RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric) {
    int columns = weights.columns();
    GridTile tile = chooser.tile(grid, columns);
    FloatMatrix deviations = metric.isNone() ? weights : scratch.values(weights.rows(), columns);
    double sum = 0;
    for (int first = 0; first < weights.rows(); first += tile.maximumRows()) {
      int count = Math.min(tile.maximumRows(), weights.rows() - first);
      float[] values = chooser.rows(weights, first, count);
      tile.load(values, count);
      tile.choose();
      sum += tile.squaredError();
      if (!metric.isNone()) {
        tile.deviations(values);
        MemorySegment.copy(
            values,
            0,
            deviations.segment(),
            ValueLayout.JAVA_FLOAT,
            (long) Float.BYTES * first * columns,
            count * columns);
      }
    }
    return new RoundingErrors(
        sum, metric.isNone() ? 0 : metricSlab.squaredNorm(deviations, metric));
  }

  @Override
  public RoundingErrors metricError(
      FloatMatrix weights, GridSpec grid, InputMetric metric, RoundingRule rule) {
    if (metric.isNone()) {
      return plainError(weights, grid, metric);
    }
    FloatMatrix values = scratch.values(weights.rows(), weights.columns());
    values.segment().copyFrom(weights.segment().asSlice(0, values.segment().byteSize()));
    chooser.choose(weights, values, grid, null, metric);
    return round(values, grid, new SlabTransforms.None(), metric, rule);
  }

  private EncodedSlab inMetric(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    FloatMatrix values = transform(weights, transforms);
    double norm = chooser.choose(weights, values, grid, buffers, metric);
    boolean input =
        transforms instanceof SlabTransforms.Blocks(Side side, List<BlockTransform> blocks)
            && side == Side.INPUT;
    double outputNorm = metricSlab.squaredNorm(input ? values : weights, metric);
    RoundingErrors errors = round(values, grid, transforms, metric, rule);
    storeCodes(weights, buffers);
    return buffers.slab(weights.rows(), errors.squared(), norm, errors.output(), outputNorm);
  }

  /** Rounds V, which becomes its deviations, on the grids that were chosen. */
  private RoundingErrors round(
      FloatMatrix values,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule) {
    MemorySegment codes = scratch.codes(values.rows(), values.columns());
    RoundingErrors errors =
        metricSlab.round(
            new MetricSlab.Task(values, metric, grid, chooser.grids(), rule, codes), transforms);
    return switch (transforms) {
      case SlabTransforms.None none -> errors;
      case SlabTransforms.Blocks(Side side, List<BlockTransform> blocks) ->
          switch (side) {
            case OUTPUT -> errors;
            case INPUT -> new RoundingErrors(undone(values, blocks), errors.output());
          };
    };
  }

  /** Squared error of deviations once the transform of the input side is undone. */
  private double undone(FloatMatrix deviations, List<BlockTransform> blocks) {
    double error = 0;
    for (BlockTransform block : blocks) {
      BlockTile tile = blockTile(block.k());
      BlockTransfer transfer =
          new BlockTransfer(
              Side.INPUT, block.k(), block.firstChannel() - blocks.getFirst().firstChannel());
      for (int first = 0; first < deviations.rows(); first += tile.lanes()) {
        int count = Math.min(tile.lanes(), deviations.rows() - first);
        transfer.gather(deviations, first, count, tile.transformed());
        error += tile.squaredError(block, count);
      }
    }
    return error;
  }

  private EncodedSlab plain(FloatMatrix weights, GridSpec grid, SlabBuffers buffers) {
    int columns = weights.columns();
    GridTile tile = chooser.tile(grid, columns);
    double error = 0;
    double norm = 0;
    for (int first = 0; first < weights.rows(); first += tile.maximumRows()) {
      int count = Math.min(tile.maximumRows(), weights.rows() - first);
      float[] values = chooser.rows(weights, first, count);
      norm += chooser.squaredNorm(values, count * columns);
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

  private EncodedSlab drawn(
      FloatMatrix weights, GridSpec grid, RoundingRule.Stochastic rule, SlabBuffers buffers) {
    int columns = weights.columns();
    double norm = chooser.choose(weights, weights, grid, buffers, InputMetric.NONE);
    double error = 0;
    BlockTile tile = blockTile(1);
    byte[] codes = rowCodes(columns);
    for (int row = 0; row < weights.rows(); row++) {
      for (int first = 0; first < columns; first += tile.lanes()) {
        int count = Math.min(tile.lanes(), columns - first);
        long from = (long) Float.BYTES * ((long) row * columns + first);
        MemorySegment.copy(
            weights.segment(), ValueLayout.JAVA_FLOAT, from, tile.transformed()[0], 0, count);
        int r = row;
        int start = first;
        error +=
            tile.roundPlain(
                rule,
                grid.top(),
                count,
                only ->
                    chooser.grids().loadRow(grid, columns, r, start, count, rule, tile.grids()));
        System.arraycopy(tile.codes()[0], 0, codes, first, count);
      }
      buffers.codes(row, codes, 0);
    }
    return buffers.slab(weights.rows(), error, norm);
  }

  private EncodedSlab transformed(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms.Blocks transforms,
      RoundingRule rule,
      SlabBuffers buffers) {
    FloatMatrix values = transform(weights, transforms);
    double norm = chooser.choose(weights, values, grid, buffers, InputMetric.NONE);
    MemorySegment codes = scratch.codes(weights.rows(), weights.columns());
    double error = 0;
    for (BlockTransform block : transforms.blocks()) {
      error +=
          round(values, grid, transforms.side(), block, channel(transforms, block), rule, codes);
    }
    storeCodes(weights, buffers);
    return buffers.slab(weights.rows(), error, norm);
  }

  /** Packs what is in the scratch. */
  private void storeCodes(FloatMatrix weights, SlabBuffers buffers) {
    int columns = weights.columns();
    MemorySegment from = scratch.codes(weights.rows(), columns);
    byte[] codes = rowCodes(columns);
    for (int row = 0; row < weights.rows(); row++) {
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, (long) row * columns, codes, 0, columns);
      buffers.codes(row, codes, 0);
    }
  }

  /** V in the scratch. */
  private FloatMatrix transform(FloatMatrix weights, SlabTransforms transforms) {
    FloatMatrix values = scratch.values(weights.rows(), weights.columns());
    switch (transforms) {
      case SlabTransforms.None none ->
          values.segment().copyFrom(weights.segment().asSlice(0, values.segment().byteSize()));
      case SlabTransforms.Blocks blocks -> {
        for (BlockTransform block : blocks.blocks()) {
          forward(weights, values, blocks.side(), block, channel(blocks, block));
        }
      }
    }
    return values;
  }

  /** Where the block starts within the slab. */
  private static int channel(SlabTransforms.Blocks transforms, BlockTransform block) {
    return block.firstChannel() - transforms.blocks().getFirst().firstChannel();
  }

  private void forward(
      FloatMatrix weights, FloatMatrix values, Side side, BlockTransform block, int channel) {
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
                case OUTPUT ->
                    row ->
                        chooser
                            .grids()
                            .loadRow(
                                grid, columns, channel + row, start, count, rule, tile.grids());
                case INPUT ->
                    row ->
                        chooser
                            .grids()
                            .loadColumn(
                                grid, columns, channel + row, start, count, rule, tile.grids());
              });
      transfer.scatter(tile.codes(), codes, columns, first, count);
    }
    return error;
  }

  /** Room for that many codes, and for the eight that packing may read beyond them. */
  private byte[] rowCodes(int count) {
    if (rowCodes.length < count + 8) {
      rowCodes = new byte[count + 8];
    }
    return rowCodes;
  }

  private BlockTile blockTile(int k) {
    return blockTiles.computeIfAbsent(k, BlockTile::new);
  }

  /** Native bytes that a slab with transforms takes beside its weights. */
  public static long scratchBytes(int rows, int columns) {
    return SlabScratch.bytes(rows, columns);
  }

  /** The same for a slab that is rounded in a metric, with a transform or without. */
  public static long metricScratchBytes(int rows, int columns) {
    return scratchBytes(rows, columns) + MetricSlab.scratchBytes(rows, columns);
  }

  /**
   * Heap bytes that slabs take at most: tiles of four grids and of two sizes of blocks, and the
   * grids that were chosen.
   *
   * @param group the fewest columns that share a grid
   */
  public static long heapBytes(int rows, int columns, int group, boolean inMetric) {
    long tile = Math.max(TILE_WEIGHTS, columns);
    long groupsOfRow = Math.ceilDiv(columns, Math.max(1, group));
    long grids = GRID_TILE_BYTES * tile + GROUP_BYTES * Math.ceilDiv(tile, columns) * groupsOfRow;
    return GridChooser.KEPT_TILES * grids
        + 2 * BLOCK_TILE_BYTES * TILE_WEIGHTS
        + Float.BYTES * tile
        + CHOSEN_BYTES * rows * groupsOfRow
        + (inMetric ? METRIC_TILE_BYTES : 0);
  }

  @Override
  public void close() {
    metricSlab.close();
    scratch.close();
  }
}
