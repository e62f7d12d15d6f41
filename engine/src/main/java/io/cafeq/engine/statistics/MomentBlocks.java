package io.cafeq.engine.statistics;

import java.util.ArrayList;
import java.util.List;

/**
 * How the channels of an input are cut into blocks on the diagonal. An input of at most {@code
 * width} channels is one block; a wider one is cut into the fewest pieces that are not above it,
 * equal but for the last. Depends on the two numbers alone.
 *
 * @param spans in the order of the channels, all of them, without gaps
 */
public record MomentBlocks(List<Span> spans) {
  /** Pieces are whole vectors of the machine. */
  public static final int GRAIN = 8;

  public MomentBlocks {
    spans = List.copyOf(spans);
  }

  /** The channels [first, first + count). */
  public record Span(int first, int count) {
    /** Entries of the upper triangle, the diagonal included. */
    public long packed() {
      return (long) count * (count + 1) / 2;
    }
  }

  /**
   * @param width the most channels of a block, at least 8
   */
  public static MomentBlocks of(int channels, int width) {
    if (channels < 1 || width < GRAIN) {
      throw new IllegalArgumentException(channels + " channels in blocks of " + width);
    }
    int widest = width - width % GRAIN;
    if (channels <= width) {
      return new MomentBlocks(List.of(new Span(0, channels)));
    }
    int pieces = Math.ceilDiv(channels, widest);
    int size = Math.ceilDiv(Math.ceilDiv(channels, pieces), GRAIN) * GRAIN;
    List<Span> spans = new ArrayList<>();
    for (int first = 0; first < channels; first += size) {
      spans.add(new Span(first, Math.min(size, channels - first)));
    }
    return new MomentBlocks(spans);
  }

  /** Of a diagonal, which needs no blocks: the narrowest there are. */
  public static MomentBlocks ofDiagonal(int channels) {
    return of(channels, GRAIN);
  }

  /** Bytes of all blocks as squares of floats. */
  public long squareBytes() {
    return spans.stream().mapToLong(span -> (long) span.count() * span.count() * Float.BYTES).sum();
  }

  /** Bytes of all blocks as upper triangles of floats. */
  public long packedBytes() {
    return spans.stream().mapToLong(span -> span.packed() * Float.BYTES).sum();
  }
}
