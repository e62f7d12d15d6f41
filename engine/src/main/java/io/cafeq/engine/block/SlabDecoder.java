package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Turns stored rows into effective weights [rows, columns]: the values of the codes as {@link
 * EncodedSlab} defines them, with the transform undone by {@link BlockProduct}. Every machine gets
 * the same bits. On the output side W_b = P V for the k rows of a block; on the input side W_b^T =
 * P V^T, so that entry c of a row is the sum over j of P[c][j] * value j of the block. Works in
 * tiles of some 100 KB on the heap. Not thread-safe; borrows everything it is given.
 */
public final class SlabDecoder {
  private static final int TILE_VALUES = 32768;
  private static final int MAX_LENGTH = 1024;

  private float[][] values = new float[0][];
  private float[][] results = new float[0][];
  private float[] line = new float[0];

  /**
   * Where the decoder finds the blocks of a transform.
   *
   * @param startingAt the block that begins at a channel; asked for in rising order, once a call of
   *     {@link #decode}
   */
  public record Blocks(Side side, IntFunction<StoredTransform> startingAt) {
    /** Blocks that are all in memory. */
    public static Blocks of(List<StoredTransform> transforms) {
      Map<Integer, StoredTransform> byChannel = new HashMap<>();
      transforms.forEach(transform -> byChannel.put(transform.firstChannel(), transform));
      return new Blocks(
          transforms.getFirst().side(),
          channel -> {
            StoredTransform found = byChannel.get(channel);
            if (found == null) {
              throw new IllegalArgumentException("no block begins at channel " + channel);
            }
            return found;
          });
    }
  }

  /**
   * Rows [firstRow, firstRow + target.rows) of the slab.
   *
   * @param blocks null where there is no transform
   * @param channel on the output side the transform's channel of row {@code firstRow}, which begins
   *     a block as the last row ends one; without meaning otherwise
   */
  public void decode(
      EncodedSlab slab, int firstRow, @Nullable Blocks blocks, int channel, FloatMatrix target) {
    if (target.columns() != slab.columns()
        || firstRow < 0
        || target.rows() > slab.rows() - firstRow) {
      throw new IllegalArgumentException(
          "rows "
              + firstRow
              + " to "
              + (firstRow + target.rows())
              + " with "
              + target.columns()
              + " columns of a slab ["
              + slab.rows()
              + ", "
              + slab.columns()
              + "]");
    }
    GridValues grid = new GridValues(slab);
    if (blocks == null) {
      plain(grid, firstRow, target);
      return;
    }
    switch (blocks.side()) {
      case OUTPUT -> output(grid, firstRow, blocks, channel, target);
      case INPUT -> input(grid, firstRow, blocks, target);
    }
  }

  private void plain(GridValues grid, int firstRow, FloatMatrix target) {
    int length = Math.min(target.columns(), 8 * MAX_LENGTH);
    line = line.length < length ? new float[length] : line;
    for (int row = 0; row < target.rows(); row++) {
      for (int column = 0; column < target.columns(); column += length) {
        int count = Math.min(length, target.columns() - column);
        grid.read(firstRow + row, column, count, line);
        copy(line, 0, target, row, column, count);
      }
    }
  }

  private void output(
      GridValues grid, int firstRow, Blocks blocks, int channel, FloatMatrix target) {
    int row = 0;
    while (row < target.rows()) {
      BlockProduct product = new BlockProduct(blocks.startingAt.apply(channel + row));
      int k = product.k();
      if (k > target.rows() - row) {
        throw new IllegalArgumentException(
            "the block at channel " + (channel + row) + " does not end with the rows");
      }
      int length = tile(k);
      for (int column = 0; column < target.columns(); column += length) {
        int count = Math.min(length, target.columns() - column);
        for (int j = 0; j < k; j++) {
          grid.read(firstRow + row + j, column, count, values[j]);
        }
        product.apply(values, results, count);
        for (int i = 0; i < k; i++) {
          copy(results[i], 0, target, row + i, column, count);
        }
      }
      row += k;
    }
  }

  private void input(GridValues grid, int firstRow, Blocks blocks, FloatMatrix target) {
    int column = 0;
    while (column < target.columns()) {
      BlockProduct product = new BlockProduct(blocks.startingAt.apply(column));
      int k = product.k();
      if (k > target.columns() - column) {
        throw new IllegalArgumentException(
            "the block at channel " + column + " does not end with the columns");
      }
      int length = tile(k);
      line = line.length < k ? new float[k] : line;
      for (int row = 0; row < target.rows(); row += length) {
        int count = Math.min(length, target.rows() - row);
        for (int r = 0; r < count; r++) {
          grid.read(firstRow + row + r, column, k, line);
          for (int j = 0; j < k; j++) {
            values[j][r] = line[j];
          }
        }
        product.apply(values, results, count);
        for (int r = 0; r < count; r++) {
          for (int i = 0; i < k; i++) {
            line[i] = results[i][r];
          }
          copy(line, 0, target, row + r, column, k);
        }
      }
      column += k;
    }
  }

  /** Room for k vectors; their length is such that they stay in the second-level cache. */
  private int tile(int k) {
    int length = Math.clamp(TILE_VALUES / k, 32, MAX_LENGTH);
    if (values.length < k || values[0].length < length) {
      values = new float[k][length];
      results = new float[k][length];
    }
    return length;
  }

  private static void copy(
      float[] from, int at, FloatMatrix target, int row, int column, int count) {
    MemorySegment.copy(
        from,
        at,
        target.segment(),
        ValueLayout.JAVA_FLOAT,
        ((long) row * target.columns() + column) * Float.BYTES,
        count);
  }
}
