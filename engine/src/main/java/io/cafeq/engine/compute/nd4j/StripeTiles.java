package io.cafeq.engine.compute.nd4j;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * W_b of some blocks in tiles [k, lanes], a lane being a position, with the products V = M W and D
 * W^T tile by tile. W is divided by its RMS; lanes beyond the end are zero. Owns its memory.
 */
final class StripeTiles implements AutoCloseable {
  private static final int TILE_WEIGHTS = 1 << 17;
  private static final int FEWEST_LANES = 128;
  private static final int MOST_LANES = 1024;
  private static final int LANE_STEP = 64;

  private final List<Integer> sizes;
  private final int lanes;
  private final int count;
  private final List<List<NativeMatrix>> weights = new ArrayList<>();
  private final List<NativeMatrix> values = new ArrayList<>();
  private final List<NativeMatrix> blocks = new ArrayList<>();
  private final List<NativeMatrix> gradients = new ArrayList<>();
  private final float[][] rows;

  /**
   * @param side where the channels are: INPUT for [positions, channels], OUTPUT for [channels,
   *     positions]
   */
  StripeTiles(FloatMatrix matrix, Side side, List<Integer> sizes) {
    this.sizes = sizes;
    int channels = side == Side.INPUT ? matrix.columns() : matrix.rows();
    int positions = side == Side.INPUT ? matrix.rows() : matrix.columns();
    count = (positions + most(channels) - 1) / most(channels);
    lanes = (positions + LANE_STEP * count - 1) / (LANE_STEP * count) * LANE_STEP;
    rows = new float[channels][lanes];
    for (int k : sizes) {
      values.add(new NativeMatrix(k, lanes));
      blocks.add(new NativeMatrix(k, k));
      gradients.add(new NativeMatrix(k, k));
    }
    float scale = Normalisation.inverseRms(matrix);
    for (int tile = 0; tile < count; tile++) {
      int first = tile * lanes;
      for (float[] row : rows) {
        Arrays.fill(row, 0);
      }
      load(matrix, side, first, Math.min(lanes, positions - first), scale);
      List<NativeMatrix> parts = new ArrayList<>();
      int channel = 0;
      for (int k : sizes) {
        NativeMatrix part = new NativeMatrix(k, lanes);
        for (int j = 0; j < k; j++) {
          part.set((long) j * lanes, rows[channel++], lanes);
        }
        parts.add(part);
      }
      weights.add(parts);
    }
  }

  /** Most lanes of a tile; tiles are made equal, so that little of the last one is empty. */
  private static int most(int channels) {
    return Math.clamp(TILE_WEIGHTS / channels, FEWEST_LANES, MOST_LANES);
  }

  /** Positions [first, first + length) into {@link #rows}, times {@code scale}. */
  private void load(FloatMatrix matrix, Side side, int first, int length, float scale) {
    switch (side) {
      case INPUT -> {
        float[] piece = new float[rows.length];
        for (int l = 0; l < length; l++) {
          long at = 4L * rows.length * (first + l);
          MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT, at, piece, 0, rows.length);
          for (int c = 0; c < rows.length; c++) {
            rows[c][l] = piece[c] * scale;
          }
        }
      }
      case OUTPUT -> {
        for (int c = 0; c < rows.length; c++) {
          long at = 4L * ((long) c * matrix.columns() + first);
          MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT, at, rows[c], 0, length);
          for (int l = 0; l < length; l++) {
            rows[c][l] *= scale;
          }
        }
      }
    }
  }

  /** Tiles in all. */
  int count() {
    return count;
  }

  /** Lanes of every tile. */
  int lanes() {
    return lanes;
  }

  /** One row a channel: V after {@link #forward}, what {@link #backward} takes as D. */
  float[][] rows() {
    return rows;
  }

  /** The blocks M for what follows. */
  void use(List<double[]> ms) {
    for (int b = 0; b < ms.size(); b++) {
      blocks.get(b).set(0, Normalisation.floats(ms.get(b)), ms.get(b).length);
    }
  }

  /** V of a tile, into {@link #rows}. */
  void forward(int tile) {
    int channel = 0;
    for (int b = 0; b < blocks.size(); b++) {
      NativeMatrix v = values.get(b);
      NativeMatrix.multiply(blocks.get(b), false, weights.get(tile).get(b), false, 0, v);
      for (int j = 0; j < v.rows(); j++) {
        v.get((long) j * lanes, rows[channel++], lanes);
      }
    }
  }

  /** Adds a tile's D W^T to the products; the first tile begins them anew. */
  void backward(int tile) {
    int channel = 0;
    for (int b = 0; b < blocks.size(); b++) {
      NativeMatrix d = values.get(b);
      for (int j = 0; j < d.rows(); j++) {
        d.set((long) j * lanes, rows[channel++], lanes);
      }
      NativeMatrix.multiply(
          d, false, weights.get(tile).get(b), true, tile == 0 ? 0 : 1, gradients.get(b));
    }
  }

  /** D W^T of all tiles, for each block. */
  List<double[]> products() {
    List<double[]> all = new ArrayList<>();
    for (int b = 0; b < sizes.size(); b++) {
      int k = sizes.get(b);
      float[] floats = new float[k * k];
      gradients.get(b).get(0, floats, k * k);
      double[] product = new double[k * k];
      for (int i = 0; i < product.length; i++) {
        product[i] = floats[i];
      }
      all.add(product);
    }
    return all;
  }

  @Override
  public void close() {
    weights.forEach(parts -> parts.forEach(NativeMatrix::close));
    values.forEach(NativeMatrix::close);
    blocks.forEach(NativeMatrix::close);
    gradients.forEach(NativeMatrix::close);
  }
}
