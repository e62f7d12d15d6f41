package io.cafeq.engine.budget;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.GridSpec;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;

/**
 * What a transform leaves of the squared error of plain rounding with the same bits and groups, as measured for some sizes of
 * groups. Between them the logarithm is interpolated over the logarithm of the size; beyond them it stays.
 *
 * @param ratios by bits and storage, then by columns a group
 */
record Gains(Map<Key, NavigableMap<Integer, Double>> ratios) {
  record Key(int bits, ScaleStorage storage) {}

  /** @param columns of the matrix, for whole rows */
  double ratio(GridSpec grid, int columns) {
    NavigableMap<Integer, Double> bySize = ratios.get(new Key(grid.bits(), grid.storage()));
    if (bySize == null) {
      throw new IllegalArgumentException("not measured: " + grid);
    }
    int size = grid.groupSize(columns);
    Map.Entry<Integer, Double> below = bySize.floorEntry(size);
    Map.Entry<Integer, Double> above = bySize.ceilingEntry(size);
    if (below == null || above == null) {
      return (below == null ? bySize.firstEntry() : bySize.lastEntry()).getValue();
    }
    if (below.getKey().equals(above.getKey())) {
      return below.getValue();
    }
    double share = StrictMath.log((double) size / below.getKey())
        / StrictMath.log((double) above.getKey() / below.getKey());
    return between(below.getValue(), above.getValue(), share);
  }

  /** Of two measurements with the same keys and sizes: {@code share} of the way from this to the other. */
  Gains towards(Gains other, double share) {
    Map<Key, NavigableMap<Integer, Double>> mixed = new HashMap<>();
    ratios.forEach((key, bySize) -> {
      Map<Integer, Double> ends = Objects.requireNonNull(other.ratios.get(key));
      NavigableMap<Integer, Double> values = new TreeMap<>();
      bySize.forEach((size, ratio) -> values.put(size, between(ratio, ends.getOrDefault(size, ratio), share)));
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
