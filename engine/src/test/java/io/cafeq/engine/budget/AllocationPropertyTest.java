package io.cafeq.engine.budget;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.budget.Allocation.Chosen;
import io.cafeq.engine.budget.Allocation.Cluster;
import io.cafeq.engine.budget.Allocation.Part;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;

class AllocationPropertyTest {
  @Property(tries = 300)
  void neverExceedsTheBudgetAndComesWithinAStepOfTheBest(
      @ForAll("clusters") List<Cluster<String>> clusters,
      @ForAll @DoubleRange(min = 0, max = 1) double share) {
    long least = Allocation.leastBits(clusters);
    long most =
        clusters.stream().mapToLong(cluster -> Hull.of(cluster).points().getLast().bits()).sum();
    long budget = least + (long) (share * (most - least));

    Allocation<String> allocation = Allocation.within(clusters, budget);

    assertThat(allocation.bits()).isLessThanOrEqualTo(budget);
    double best = best(clusters, 0, budget);
    assertThat(allocation.error()).isBetween(best - 1e-9, best + largestStep(clusters) + 1e-9);
  }

  @Property(tries = 200)
  void sumsAreThoseOfOneOfferForEachPart(@ForAll("clusters") List<Cluster<String>> clusters) {
    Allocation<String> allocation =
        Allocation.within(clusters, Allocation.leastBits(clusters) + 40);

    assertThat(allocation.choices()).hasSameSizeAs(clusters);
    long bits = 0;
    double error = 0;
    for (int c = 0; c < clusters.size(); c++) {
      Chosen<String> chosen = allocation.choices().get(c);
      List<Part<String>> parts = clusters.get(c).divisions().get(chosen.division());
      assertThat(chosen.offers()).hasSameSizeAs(parts);
      for (int p = 0; p < parts.size(); p++) {
        assertThat(parts.get(p).offers()).contains(chosen.offers().get(p));
        bits += chosen.offers().get(p).bits();
        error += chosen.offers().get(p).error();
      }
    }
    assertThat(allocation.bits()).isEqualTo(bits);
    assertThat(allocation.error()).isCloseTo(error, within(1e-9));
  }

  @Property(tries = 200)
  void moreBitsNeverCostMoreThanAStep(@ForAll("clusters") List<Cluster<String>> clusters) {
    double before = Double.POSITIVE_INFINITY;
    long least = Allocation.leastBits(clusters);
    for (long budget = least; budget < least + 200; budget += 7) {
      double error = Allocation.within(clusters, budget).error();
      assertThat(error).isLessThanOrEqualTo(before + largestStep(clusters));
      before = Math.min(before, error);
    }
  }

  @Test
  void takesWhatSavesMostABitFirst() {
    Cluster<String> steep = single(new Offer<>("a", 10, 100), new Offer<>("b", 20, 10));
    Cluster<String> flat = single(new Offer<>("c", 10, 20), new Offer<>("d", 20, 10));

    assertThat(names(Allocation.within(List.of(flat, steep), 30))).containsExactly("c", "b");
    assertThat(names(Allocation.within(List.of(flat, steep), 40))).containsExactly("d", "b");
  }

  @Test
  void takesWhatLiesAboveTheHullForTheBitsThatAreLeft() {
    Cluster<String> one =
        single(new Offer<>("a", 10, 100), new Offer<>("b", 15, 90), new Offer<>("c", 20, 10));

    assertThat(names(Allocation.within(List.of(one), 19))).containsExactly("b");
  }

  @Test
  void refusesWhatCannotBe() {
    Cluster<String> one = single(new Offer<>("a", 10, 100));
    List<Cluster<String>> clusters = List.of(one, one);

    assertThat(Allocation.leastBits(clusters)).isEqualTo(20);
    assertThatThrownBy(() -> Allocation.within(clusters, 19))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @SafeVarargs
  private static Cluster<String> single(Offer<String>... offers) {
    return new Cluster<>(List.of(List.of(new Part<>(List.of(offers)))));
  }

  private static List<String> names(Allocation<String> allocation) {
    return allocation.choices().stream()
        .flatMap(chosen -> chosen.offers().stream())
        .map(Offer::what)
        .toList();
  }

  @Provide
  Arbitrary<List<Cluster<String>>> clusters() {
    Arbitrary<Offer<String>> offer =
        Combinators.combine(
                Arbitraries.longs().between(0, 60), Arbitraries.doubles().between(0, 100))
            .as((bits, error) -> new Offer<>("offer", bits, error));
    Arbitrary<Part<String>> part = offer.list().ofMinSize(1).ofMaxSize(4).map(Part::new);
    return part.list()
        .ofMinSize(1)
        .ofMaxSize(2)
        .list()
        .ofMinSize(1)
        .ofMaxSize(2)
        .map(Cluster::new)
        .list()
        .ofMinSize(1)
        .ofMaxSize(3);
  }

  private static double largestStep(List<Cluster<String>> clusters) {
    double largest = 0;
    for (Cluster<String> cluster : clusters) {
      List<Hull.Point<String>> points = Hull.of(cluster).points();
      for (int i = 1; i < points.size(); i++) {
        largest = Math.max(largest, points.get(i - 1).error() - points.get(i).error());
      }
    }
    return largest;
  }

  /** By trying everything. */
  private static double best(List<Cluster<String>> clusters, int from, long budget) {
    if (from == clusters.size()) {
      return 0;
    }
    double best = Double.POSITIVE_INFINITY;
    for (List<Part<String>> division : clusters.get(from).divisions()) {
      best = Math.min(best, best(clusters, from, division, 0, budget));
    }
    return best;
  }

  private static double best(
      List<Cluster<String>> clusters,
      int from,
      List<Part<String>> division,
      int part,
      long budget) {
    if (part == division.size()) {
      return best(clusters, from + 1, budget);
    }
    double best = Double.POSITIVE_INFINITY;
    for (Offer<String> offer : division.get(part).offers()) {
      if (offer.bits() <= budget) {
        best =
            Math.min(
                best,
                offer.error() + best(clusters, from, division, part + 1, budget - offer.bits()));
      }
    }
    return best;
  }
}
