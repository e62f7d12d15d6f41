package io.cafeq.engine.budget;

import io.cafeq.engine.budget.Allocation.Chosen;
import io.cafeq.engine.budget.Allocation.Cluster;
import io.cafeq.engine.budget.Allocation.Part;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The lower convex hull of error over bits of a cluster: from its cheapest choice on, each point
 * has more bits and less error than the one before, and each step saves less a bit than the one
 * before.
 */
record Hull<T>(List<Point<T>> points) {
  Hull {
    points = List.copyOf(points);
  }

  /** A choice for the whole cluster. */
  record Point<T>(Chosen<T> chosen, long bits, double error) {}

  static <T> Hull<T> of(Cluster<T> cluster) {
    List<Point<T>> all = new ArrayList<>();
    for (int d = 0; d < cluster.divisions().size(); d++) {
      all.addAll(sum(d, cluster.divisions().get(d)));
    }
    return lower(all);
  }

  /** The hull of a sum of parts: the steps of all their hulls, the best first. */
  private static <T> List<Point<T>> sum(int division, List<Part<T>> parts) {
    List<Hull<T>> hulls = parts.stream().map(part -> part(division, part)).toList();
    int[] at = new int[parts.size()];
    List<Point<T>> points = new ArrayList<>();
    while (true) {
      points.add(point(division, hulls, at));
      int best = -1;
      for (int i = 0; i < at.length; i++) {
        if (at[i] + 1 < hulls.get(i).points.size()
            && (best < 0 || slope(hulls.get(i), at[i]) > slope(hulls.get(best), at[best]))) {
          best = i;
        }
      }
      if (best < 0) {
        return points;
      }
      at[best]++;
    }
  }

  private static <T> Hull<T> part(int division, Part<T> part) {
    return lower(
        part.offers().stream()
            .map(
                offer ->
                    new Point<>(
                        new Chosen<>(division, List.of(offer)), offer.bits(), offer.error()))
            .toList());
  }

  private static <T> Point<T> point(int division, List<Hull<T>> hulls, int[] at) {
    List<Offer<T>> offers = new ArrayList<>();
    long bits = 0;
    double error = 0;
    for (int i = 0; i < at.length; i++) {
      Point<T> point = hulls.get(i).points.get(at[i]);
      offers.addAll(point.chosen().offers());
      bits += point.bits();
      error += point.error();
    }
    return new Point<>(new Chosen<>(division, offers), bits, error);
  }

  private static double slope(Hull<?> hull, int at) {
    return saved(hull.points.get(at), hull.points.get(at + 1));
  }

  private static double saved(Point<?> from, Point<?> to) {
    return (from.error() - to.error()) / (to.bits() - from.bits());
  }

  private static <T> Hull<T> lower(List<Point<T>> points) {
    // sorting is stable, so of equal points the first one stays
    List<Point<T>> sorted =
        points.stream()
            .sorted(
                Comparator.<Point<T>>comparingLong(Point::bits).thenComparingDouble(Point::error))
            .toList();
    List<Point<T>> hull = new ArrayList<>();
    for (Point<T> point : sorted) {
      if (!hull.isEmpty() && point.error() >= hull.getLast().error()) {
        continue;
      }
      while (hull.size() > 1
          && saved(hull.get(hull.size() - 2), hull.getLast()) <= saved(hull.getLast(), point)) {
        hull.removeLast();
      }
      hull.add(point);
    }
    return new Hull<>(hull);
  }
}
