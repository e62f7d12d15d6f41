package io.cafeq.engine.budget;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Chooses one offer for each part so that the sum of bits stays within a budget at the least sum of
 * errors. This is a knapsack with alternatives; it is solved on the lower convex hulls, step by
 * step from the cheapest choice of all to the best, each time taking the step that saves the most
 * error a bit (the Lagrangian relaxation, see Shoham and Gersho, "Efficient bit allocation for an
 * arbitrary set of quantizers", 1988), skipping steps that no longer fit; what is left is then
 * filled with single better offers. The result is above the best possible by less than what one
 * step of a hull saves.
 *
 * <p>Pure: depends on its arguments alone, ties go to whatever comes first.
 *
 * @param choices the chosen offers, in the order of the clusters
 */
public record Allocation<T>(List<Chosen<T>> choices, long bits, double error) {
  public Allocation {
    choices = List.copyOf(choices);
  }

  /** Something for which one offer has to be taken. */
  public record Part<T>(List<Offer<T>> offers) {
    public Part {
      offers = List.copyOf(offers);
      if (offers.isEmpty()) {
        throw new IllegalArgumentException("a part needs an offer");
      }
    }
  }

  /**
   * Alternative divisions of the same tensors into parts, such as one unit for all of them or one
   * for each.
   */
  public record Cluster<T>(List<List<Part<T>>> divisions) {
    public Cluster {
      divisions = divisions.stream().map(List::copyOf).toList();
      if (divisions.isEmpty()) {
        throw new IllegalArgumentException("a cluster needs a division");
      }
    }
  }

  /**
   * What was chosen for a cluster.
   *
   * @param division index of the division
   * @param offers one for each of its parts
   */
  public record Chosen<T>(int division, List<Offer<T>> offers) {
    public Chosen {
      offers = List.copyOf(offers);
    }
  }

  /** The least bits that are possible at all. */
  public static <T> long leastBits(List<Cluster<T>> clusters) {
    return clusters.stream()
        .mapToLong(cluster -> Hull.of(cluster).points().getFirst().bits())
        .sum();
  }

  /**
   * @throws IllegalArgumentException where even {@link #leastBits} is above the budget
   */
  public static <T> Allocation<T> within(List<Cluster<T>> clusters, long budget) {
    List<Hull<T>> hulls = clusters.stream().map(Hull::of).toList();
    int[] at = new int[hulls.size()];
    long left = budget - hulls.stream().mapToLong(hull -> hull.points().getFirst().bits()).sum();
    if (left < 0) {
      throw new IllegalArgumentException(
          "the least is " + (budget - left) + " bits, the budget " + budget);
    }
    PriorityQueue<Step> steps =
        new PriorityQueue<>(
            Comparator.comparingDouble(Step::savedPerBit)
                .reversed()
                .thenComparingInt(Step::cluster));
    for (int i = 0; i < at.length; i++) {
      addStep(steps, hulls.get(i), i, 0);
    }
    while (!steps.isEmpty()) {
      Step step = steps.remove();
      if (step.bits() <= left) {
        left -= step.bits();
        at[step.cluster()]++;
        addStep(steps, hulls.get(step.cluster()), step.cluster(), at[step.cluster()]);
      }
    }
    List<Chosen<T>> chosen = new ArrayList<>();
    for (int i = 0; i < at.length; i++) {
      chosen.add(hulls.get(i).points().get(at[i]).chosen());
    }
    fill(clusters, chosen, left);
    return of(chosen);
  }

  private record Step(int cluster, long bits, double savedPerBit) {}

  private static <T> void addStep(PriorityQueue<Step> steps, Hull<T> hull, int cluster, int at) {
    if (at + 1 < hull.points().size()) {
      Hull.Point<T> here = hull.points().get(at);
      Hull.Point<T> next = hull.points().get(at + 1);
      long bits = next.bits() - here.bits();
      steps.add(new Step(cluster, bits, (here.error() - next.error()) / bits));
    }
  }

  /**
   * Takes offers between the hull's points for the bits that are left, the one that saves most
   * first.
   */
  private static <T> void fill(List<Cluster<T>> clusters, List<Chosen<T>> chosen, long left) {
    long room = left;
    while (true) {
      int cluster = -1;
      int part = -1;
      Offer<T> best = null;
      double saved = 0;
      for (int c = 0; c < chosen.size(); c++) {
        List<Part<T>> parts = clusters.get(c).divisions().get(chosen.get(c).division());
        for (int p = 0; p < parts.size(); p++) {
          Offer<T> present = chosen.get(c).offers().get(p);
          for (Offer<T> offer : parts.get(p).offers()) {
            if (offer.bits() - present.bits() <= room && present.error() - offer.error() > saved) {
              saved = present.error() - offer.error();
              best = offer;
              cluster = c;
              part = p;
            }
          }
        }
      }
      if (best == null) {
        return;
      }
      List<Offer<T>> offers = new ArrayList<>(chosen.get(cluster).offers());
      room -= best.bits() - offers.get(part).bits();
      offers.set(part, best);
      chosen.set(cluster, new Chosen<>(chosen.get(cluster).division(), offers));
    }
  }

  private static <T> Allocation<T> of(List<Chosen<T>> chosen) {
    long bits = 0;
    double error = 0;
    for (Chosen<T> each : chosen) {
      for (Offer<T> offer : each.offers()) {
        bits += offer.bits();
        error += offer.error();
      }
    }
    return new Allocation<>(chosen, bits, error);
  }
}
