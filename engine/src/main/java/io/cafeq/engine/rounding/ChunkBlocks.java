package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.BlockTransform;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The metrics T^T T that the rows of a chunk have among each other: whole blocks of a transform on
 * the output side, or none. By row: a row of a block that begins at row b holds in {@code
 * corrections} T_ib' / T_ii for all i before it, so that a rounded row corrects those above it in
 * one loop. On the heap, reused.
 */
final class ChunkBlocks {
  private float[] squares;
  private float[][] corrections = new float[0][];
  private List<Integer> sizes = List.of();

  ChunkBlocks(int mostRows) {
    squares = new float[mostRows];
  }

  /** Rows that count by themselves. */
  void clear(int rows) {
    reserve(rows);
    Arrays.fill(squares, 0, rows, 1);
    sizes = List.of();
  }

  /** Rows in blocks, the first of which begins at row 0. */
  void set(List<BlockTransform> blocks) {
    sizes = blocks.stream().map(BlockTransform::k).toList();
    int rows = sizes.stream().mapToInt(Integer::intValue).sum();
    reserve(rows);
    if (corrections.length < rows) {
      corrections = new float[rows][0];
    }
    int first = 0;
    for (BlockTransform block : blocks) {
      int k = block.k();
      float[] correction = new float[k * k];
      block.readCorrection(correction);
      for (int j = 0; j < k; j++) {
        float[] column = corrections[first + j].length >= k ? corrections[first + j] : new float[k];
        for (int i = 0; i < j; i++) {
          column[i] = correction[i * k + j];
        }
        corrections[first + j] = column;
        squares[first + j] = block.diagonal()[j] * block.diagonal()[j];
      }
      first += k;
    }
  }

  private void reserve(int rows) {
    if (squares.length < rows) {
      squares = new float[rows];
    }
  }

  /** Sizes of the blocks; empty where rows count by themselves. */
  List<Integer> sizes() {
    return sizes;
  }

  /** T_jj^2 by row. */
  float[] squares() {
    return squares;
  }

  /** What a row does to those above it in its block. */
  float[] corrections(int row) {
    return corrections[row];
  }

  /** The chunks of a slab's blocks: as many whole ones as {@code rows} hold, at least one. */
  static List<List<BlockTransform>> chunks(List<BlockTransform> blocks, int rows) {
    List<List<BlockTransform>> chunks = new ArrayList<>();
    List<BlockTransform> chunk = new ArrayList<>();
    int taken = 0;
    for (BlockTransform block : blocks) {
      if (!chunk.isEmpty() && taken + block.k() > rows) {
        chunks.add(List.copyOf(chunk));
        chunk.clear();
        taken = 0;
      }
      chunk.add(block);
      taken += block.k();
    }
    chunks.add(List.copyOf(chunk));
    return chunks;
  }
}
