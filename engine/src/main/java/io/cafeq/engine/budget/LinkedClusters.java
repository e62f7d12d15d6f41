package io.cafeq.engine.budget;

import io.cafeq.engine.plan.Cluster;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Clusters as an allocation sees them: parts whose matrices loaders fuse are one part, that offers
 * what all of them offer, and its choice is the choice of each. Where nothing is fused the clusters
 * stay as they are.
 */
final class LinkedClusters {
  private final List<Allocation.Cluster<Choice>> priced;
  private final List<Allocation.Cluster<Choice>> linked;

  /** The parts of each linked cluster; empty where nothing is fused. */
  private final List<List<Slot>> slots;

  /** Part of a cluster, of its first division, in which each matrix is by itself. */
  private record Slot(int cluster, int part) {}

  private LinkedClusters(
      List<Allocation.Cluster<Choice>> priced,
      List<Allocation.Cluster<Choice>> linked,
      List<List<Slot>> slots) {
    this.priced = priced;
    this.linked = linked;
    this.slots = slots;
  }

  /**
   * @param priced one for each cluster, in order
   */
  static LinkedClusters of(List<Cluster> clusters, List<Allocation.Cluster<Choice>> priced) {
    if (clusters.stream().noneMatch(cluster -> fused(cluster, 0).isPresent())) {
      return new LinkedClusters(priced, priced, List.of());
    }
    Map<String, List<Slot>> links = new LinkedHashMap<>();
    for (int c = 0; c < clusters.size(); c++) {
      for (int p = 0; p < priced.get(c).divisions().getFirst().size(); p++) {
        String alone = "\n" + c + " " + p; // no name of a tensor has a line break
        links
            .computeIfAbsent(fused(clusters.get(c), p).orElse(alone), key -> new ArrayList<>())
            .add(new Slot(c, p));
      }
    }
    List<List<Slot>> slots = List.copyOf(links.values());
    List<Allocation.Cluster<Choice>> linked =
        slots.stream()
            .map(together -> new Allocation.Cluster<>(List.of(List.of(part(together, priced)))))
            .toList();
    return new LinkedClusters(priced, linked, slots);
  }

  private static Optional<String> fused(Cluster cluster, int part) {
    return switch (cluster) {
      case Cluster.Matrices matrices -> matrices.settings().fused();
      case Cluster.Coupled pair -> (part == 0 ? pair.leftSettings() : pair.rightSettings()).fused();
    };
  }

  private static Allocation.Part<Choice> part(
      List<Slot> slots, List<Allocation.Cluster<Choice>> priced) {
    Map<Choice, Offer<Choice>> sums = new LinkedHashMap<>();
    offers(slots.getFirst(), priced).forEach(offer -> sums.put(offer.what(), offer));
    for (Slot slot : slots.subList(1, slots.size())) {
      Map<Choice, Offer<Choice>> own = new LinkedHashMap<>();
      offers(slot, priced).forEach(offer -> own.put(offer.what(), offer));
      sums.keySet().retainAll(own.keySet());
      sums.replaceAll(
          (choice, sum) -> {
            Offer<Choice> offer = Objects.requireNonNull(own.get(choice));
            return new Offer<>(choice, sum.bits() + offer.bits(), sum.error() + offer.error());
          });
    }
    return new Allocation.Part<>(Offer.undominated(List.copyOf(sums.values())));
  }

  private static List<Offer<Choice>> offers(Slot slot, List<Allocation.Cluster<Choice>> priced) {
    return priced.get(slot.cluster()).divisions().getFirst().get(slot.part()).offers();
  }

  /** What an allocation is made of. */
  List<Allocation.Cluster<Choice>> clusters() {
    return linked;
  }

  /** What was chosen for {@link #clusters}, for each of the original clusters. */
  List<Allocation.Chosen<Choice>> apart(List<Allocation.Chosen<Choice>> chosen) {
    if (slots.isEmpty()) {
      return chosen;
    }
    List<List<Offer<Choice>>> offers = new ArrayList<>();
    for (Allocation.Cluster<Choice> cluster : priced) {
      List<Offer<Choice>> first = new ArrayList<>();
      cluster.divisions().getFirst().forEach(part -> first.add(part.offers().getFirst()));
      offers.add(first);
    }
    for (int i = 0; i < slots.size(); i++) {
      Choice choice = chosen.get(i).offers().getFirst().what();
      for (Slot slot : slots.get(i)) {
        Offer<Choice> own =
            offers(slot, priced).stream()
                .filter(offer -> offer.what().equals(choice))
                .findFirst()
                .orElseThrow();
        offers.get(slot.cluster()).set(slot.part(), own);
      }
    }
    return offers.stream().map(each -> new Allocation.Chosen<>(0, each)).toList();
  }
}
