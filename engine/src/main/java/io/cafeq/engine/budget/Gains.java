package io.cafeq.engine.budget;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.GridSpec;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Squared error under a transform relative to round-to-nearest (RTN) at the same bits and group
 * size, measured for some group sizes. Between them the logarithm is interpolated over the
 * logarithm of the size; beyond them it stays.
 */
final class Gains {
  private final Map<Key, NavigableMap<Integer, Double>> ratios;

  private Gains(Map<Key, NavigableMap<Integer, Double>> ratios) {
    this.ratios = ratios;
  }

  private record Key(int bits, ScaleStorage storage) implements Comparable<Key> {
    @Override
    public int compareTo(Key other) {
      return bits != other.bits
          ? Integer.compare(bits, other.bits)
          : storage.compareTo(other.storage);
    }
  }

  /** Gathers measurements. */
  static final class Builder {
    private final Map<Key, NavigableMap<Integer, Double>> ratios = new TreeMap<>();

    /**
     * @param columns of the matrix that was measured
     */
    void add(GridSpec grid, int columns, double ratio) {
      ratios
          .computeIfAbsent(new Key(grid.bits(), grid.storage()), key -> new TreeMap<>())
          .put(grid.groupSize(columns), ratio);
    }

    Gains build() {
      return new Gains(ratios);
    }
  }

  /**
   * @param columns of the matrix that the grid is for
   */
  double ratio(GridSpec grid, int columns) {
    return ratio(new Key(grid.bits(), grid.storage()), grid.groupSize(columns));
  }

  private double ratio(Key key, int size) {
    NavigableMap<Integer, Double> bySize = ratios.get(key);
    if (bySize == null) {
      throw new IllegalArgumentException("not measured: " + key);
    }
    Map.Entry<Integer, Double> below = bySize.floorEntry(size);
    Map.Entry<Integer, Double> above = bySize.ceilingEntry(size);
    if (below == null || above == null) {
      return (below == null ? bySize.firstEntry() : bySize.lastEntry()).getValue();
    }
    if (below.getKey().equals(above.getKey())) {
      return below.getValue();
    }
    double share =
        StrictMath.log((double) size / below.getKey())
            / StrictMath.log((double) above.getKey() / below.getKey());
    return between(below.getValue(), above.getValue(), share);
  }

  /** The way from this to the other, both of the same grids: 0 is this, 1 is the other. */
  Gains towards(Gains other, double share) {
    Map<Key, NavigableMap<Integer, Double>> mixed = new TreeMap<>();
    ratios.forEach(
        (key, bySize) -> {
          NavigableMap<Integer, Double> values = new TreeMap<>();
          bySize.forEach(
              (size, ratio) -> values.put(size, between(ratio, other.ratio(key, size), share)));
          mixed.put(key, values);
        });
    return new Gains(mixed);
  }

  private static double between(double from, double to, double share) {
    return from <= 0 || to <= 0
        ? from + share * (to - from)
        : StrictMath.exp((1 - share) * StrictMath.log(from) + share * StrictMath.log(to));
  }
}
