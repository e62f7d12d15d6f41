package io.cafeq.engine.rounding;

import io.cafeq.config.Rounding;

/** How codes are chosen on fixed grids, with all that the choice depends on. */
public sealed interface RoundingRule {
  /** Each entry to its nearest level, ties to even. */
  record Nearest() implements RoundingRule {}

  /**
   * Nearest plane in the metric of the inverse transform and of the inputs; nearest where there is
   * neither.
   */
  record NearestPlane() implements RoundingRule {}

  /**
   * Each entry to one of the two levels around it, up with a probability equal to the fraction, so
   * that the mean over seeds is the entry itself where the grid reaches it. An entry on a level
   * stays there. What is drawn depends on the seed and on the entry's place in its tensor alone,
   * never on slabs, tiles or the backend.
   *
   * @param seed of the tensor
   * @param firstRow where the slab starts in the tensor
   */
  record Stochastic(long seed, long firstRow) implements RoundingRule {
    /**
     * What is added to an entry, in steps, before it goes to the nearest level: evenly spread
     * between -1/2 and 1/2.
     */
    public float dither(int row, int column, int columns) {
      return draw(entry(row, column, columns));
    }

    /**
     * Dithers of {@code count} entries of a slab, every {@code stride}-th one in the order of rows.
     */
    void fill(float[] to, int row, int column, int columns, int stride, int count) {
      long entry = entry(row, column, columns);
      for (int i = 0; i < count; i++, entry += stride) {
        to[i] = draw(entry);
      }
    }

    private long entry(int row, int column, int columns) {
      return (firstRow + row) * columns + column;
    }

    /**
     * SplitMix64 by number. 15 bits and odd multiples of 2^-16, so that beside codes of 8 bits the
     * sum is exact in float and a whole number never reaches the tie to the next one.
     */
    private float draw(long entry) {
      long mixed = seed + entry * 0x9E3779B97F4A7C15L;
      mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
      mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
      int bits = (int) ((mixed ^ mixed >>> 31) >>> 49);
      return (2 * bits + 1 - (1 << 15)) * 0x1p-16f;
    }
  }

  /**
   * The rule that a recipe names.
   *
   * @param seed of the tensor; told by its name and the recipe's seed
   * @param firstRow where the slab starts in the tensor
   */
  static RoundingRule of(Rounding rounding, long seed, long firstRow) {
    return switch (rounding) {
      case NEAREST -> new Nearest();
      case NEAREST_PLANE -> new NearestPlane();
      case STOCHASTIC -> new Stochastic(seed, firstRow);
    };
  }
}
