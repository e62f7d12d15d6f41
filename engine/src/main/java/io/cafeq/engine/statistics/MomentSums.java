package io.cafeq.engine.statistics;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Sums of x x^T over tokens for one input, in blocks on the diagonal; of each block the upper
 * triangle, in bands of rows. Borrows its memory from an arena. Not thread-safe.
 *
 * <p>Up to 512 tokens are summed by one product of floats, and these sums one after the other in
 * float. A sum's relative error is so at most (512 + pieces) 2^-24 of the sum of the absolute
 * values: 3e-5 for 4096 tokens, and some hundred times less as errors fall in practice, far below
 * what a sample of tokens says of the next one. The pieces depend on the tokens that came in one
 * call alone, so that the same calls give the same bits.
 */
public final class MomentSums {
  /** Little-endian, wherever this runs. */
  public static final ValueLayout.OfFloat FLOATS =
      ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int BAND = 512;
  private static final int PIECE = 512;

  /** Moments of fewer tokens than that say little, however few the channels. */
  private static final int LEAST_TOKENS = 64;

  private final MatrixInput input;
  private final MomentBlocks blocks;
  private final List<List<FloatMatrix>> bands = new ArrayList<>();
  private final float[] row;
  private long tokens;

  /** All zero. */
  public MomentSums(MatrixInput input, int width, Arena arena) {
    this.input = input;
    blocks = MomentBlocks.of(input.channels(), width);
    int widest = 0;
    for (MomentBlocks.Span span : blocks.spans()) {
      List<FloatMatrix> ofBlock = new ArrayList<>();
      for (int first = 0; first < span.count(); first += BAND) {
        ofBlock.add(
            FloatMatrix.allocate(
                arena, Math.min(BAND, span.count() - first), span.count() - first));
      }
      bands.add(ofBlock);
      widest = Math.max(widest, span.count());
    }
    row = new float[widest];
  }

  /** Native bytes that the sums of an input take. */
  public static long bytes(int channels, int width) {
    long bytes = 0;
    for (MomentBlocks.Span span : MomentBlocks.of(channels, width).spans()) {
      for (int first = 0; first < span.count(); first += BAND) {
        bytes +=
            (long) Math.min(BAND, span.count() - first) * (span.count() - first) * Float.BYTES + 64;
      }
    }
    return bytes;
  }

  /**
   * Tokens from which on one expert's own moments are used instead of those of all experts of its
   * layer. With fewer than half as many tokens as channels most directions have never been seen,
   * and rounding would push its errors there.
   */
  public static long enoughTokens(int channels) {
    return Math.max(LEAST_TOKENS, channels / 2);
  }

  public MatrixInput input() {
    return input;
  }

  public MomentBlocks blocks() {
    return blocks;
  }

  /** That were added so far. */
  public long tokens() {
    return tokens;
  }

  /**
   * Whether these moments are to be used: some were seen, and those of one expert are enough to
   * stand for themselves.
   */
  public boolean isEnough() {
    return tokens >= (input.fallBack().isPresent() ? enoughTokens(input.channels()) : 1);
  }

  /** The means of the squares of all channels. Throws as {@link #means} does. */
  public float[] diagonal() {
    float[] diagonal = new float[input.channels()];
    try (Arena own = Arena.ofConfined()) {
      MemorySegment means = own.allocate(FLOATS, row.length);
      for (int block = 0; block < bands.size(); block++) {
        MomentBlocks.Span span = blocks.spans().get(block);
        for (int i = 0; i < span.count(); i++) {
          means(block, i, means.asSlice(0, (long) (span.count() - i) * Float.BYTES));
          diagonal[span.first() + i] = means.get(FLOATS, 0);
        }
      }
    }
    return diagonal;
  }

  /** Adds the rows of x [tokens, channels]. */
  public void add(FloatMatrix x, MatrixProducts products) {
    if (x.columns() != input.channels()) {
      throw new IllegalArgumentException(
          input.name() + " has " + input.channels() + " channels, what came has " + x.columns());
    }
    for (int first = 0; first < x.rows(); first += PIECE) {
      int count = Math.min(PIECE, x.rows() - first);
      for (int block = 0; block < bands.size(); block++) {
        MomentBlocks.Span span = blocks.spans().get(block);
        int end = span.first() + span.count();
        for (FloatMatrix band : bands.get(block)) {
          int from = end - band.columns();
          products.multiply(
              1,
              new MatrixView(x, first, from, count, band.rows()),
              true,
              new MatrixView(x, first, from, count, band.columns()),
              false,
              1,
              MatrixView.of(band));
        }
      }
    }
    tokens += x.rows();
  }

  /**
   * The means of one row of a block's upper triangle, from the diagonal on, into a native segment
   * of exactly that size, as little-endian floats. Throws with kind CHECKPOINT where they are not
   * finite.
   */
  public void means(int block, int rowOfBlock, MemorySegment target) {
    FloatMatrix band = bands.get(block).get(rowOfBlock / BAND);
    int inBand = rowOfBlock % BAND;
    int count = band.columns() - inBand;
    long from = ((long) inBand * band.columns() + inBand) * Float.BYTES;
    MemorySegment.copy(band.segment(), ValueLayout.JAVA_FLOAT, from, row, 0, count);
    double share = 1.0 / tokens;
    float probe = 0;
    for (int i = 0; i < count; i++) {
      row[i] = (float) (row[i] * share);
      probe += row[i] * 0;
    }
    if (Float.isNaN(probe)) {
      throw new EngineException(
          FailureKind.CHECKPOINT,
          "the input "
              + input.name()
              + " has values that are not finite, or too large to be squared",
          "Check that the checkpoint is one of a trained model, or quantize it into another folder "
              + "with --statistics weights.");
    }
    MemorySegment.copy(row, 0, target, FLOATS, 0, count);
  }
}
