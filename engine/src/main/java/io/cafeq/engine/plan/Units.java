package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Makes units from drafts and decisions: IDs, disk order, copied tensors. */
final class Units {
  private final List<PlannedTensor> planned;
  private final Map<String, Integer> positions = new HashMap<>();

  Units(List<PlannedTensor> planned) {
    this.planned = planned;
    for (int i = 0; i < planned.size(); i++) {
      positions.put(planned.get(i).name(), i);
    }
  }

  /** A unit that lacks only its ID. */
  private record Nameless(int position, String name, String unique, Function<String, Unit> named) {}

  /** The file-safe part of a tensor's name. */
  static String name(PlannedTensor tensor) {
    String suffix = ".weight";
    String name = tensor.name();
    return name.endsWith(suffix) ? name.substring(0, name.length() - suffix.length()) : name;
  }

  List<Unit> of(List<Clusters.Draft> drafts, Cluster.Chooser chooser) {
    List<Cluster> clusters = drafts.stream().flatMap(draft -> draft.clusters().stream()).toList();
    List<Cluster.Decision> decisions = chooser.choose(clusters);
    List<Nameless> units = new ArrayList<>();
    Set<String> quantized = new HashSet<>();
    int next = 0;
    for (Clusters.Draft draft : drafts) {
      List<Cluster.Decision> own = decisions.subList(next, next + draft.clusters().size());
      next += draft.clusters().size();
      units.addAll(units(draft, own, quantized));
    }
    units.addAll(copies(quantized));
    return inDiskOrder(units);
  }

  private List<Nameless> units(
      Clusters.Draft draft, List<Cluster.Decision> decisions, Set<String> quantized) {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < decisions.size(); i++) {
      parts.addAll(parts(draft.clusters().get(i), decisions.get(i)));
    }
    boolean apart = draft.divisible() && parts.size() == draft.members().size();
    List<Nameless> units = new ArrayList<>();
    if (apart) {
      for (int i = 0; i < parts.size(); i++) {
        PlannedTensor tensor = draft.members().get(i).tensor();
        units.add(unit(name(tensor), List.of(tensor), List.of(), List.of(parts.get(i)), quantized));
      }
    } else {
      List<PlannedTensor> tensors = draft.members().stream().map(Clusters.Chosen::tensor).toList();
      units.add(unit(draft.name(), tensors, draft.biases(), parts, quantized));
    }
    return units;
  }

  private static List<Part> parts(Cluster cluster, Cluster.Decision decision) {
    return switch (cluster) {
      case Cluster.Matrices matrices ->
          switch (decision) {
            case Cluster.Decision.Together together ->
                List.of(
                    new Part.Stack(
                        matrices.members().stream()
                            .flatMap(member -> member.rows().stream())
                            .toList(),
                        together.treatment()));
            case Cluster.Decision.Apart apart -> {
              List<Part> parts = new ArrayList<>();
              for (int i = 0; i < matrices.members().size(); i++) {
                parts.add(
                    new Part.Stack(matrices.members().get(i).rows(), apart.treatments().get(i)));
              }
              yield parts;
            }
            case Cluster.Decision.Paired paired ->
                throw new IllegalArgumentException("matrices are no pair");
          };
      case Cluster.Coupled coupled -> {
        if (!(decision instanceof Cluster.Decision.Paired paired)) {
          throw new IllegalArgumentException("a pair is treated as one");
        }
        yield List.of(coupled.treated(paired.treatment()));
      }
    };
  }

  private Nameless unit(
      String name,
      List<PlannedTensor> weights,
      List<PlannedTensor> biases,
      List<Part> parts,
      Set<String> quantized) {
    List<PlannedTensor> tensors = new ArrayList<>(weights);
    tensors.addAll(biases);
    for (PlannedTensor tensor : weights) {
      tensor.weight().sources().stream()
          .skip(1)
          .map(TensorInfo::name)
          .map(this::tensor)
          .forEach(tensors::add);
    }
    tensors.forEach(tensor -> quantized.add(tensor.name()));
    String unique = weights.stream().map(PlannedTensor::name).collect(Collectors.joining("\n"));
    int position = tensors.stream().mapToInt(tensor -> position(tensor.name())).min().orElseThrow();
    return new Nameless(position, name, unique, id -> new Unit.Quantized(id, tensors, parts));
  }

  /**
   * Numbered by shard, so that a shard's copies keep their name whatever the recipe does to other
   * shards.
   */
  private List<Nameless> copies(Set<String> quantized) {
    Map<String, List<PlannedTensor>> byShard = new LinkedHashMap<>();
    for (PlannedTensor tensor : planned) {
      List<PlannedTensor> copied =
          byShard.computeIfAbsent(tensor.info().file(), file -> new ArrayList<>());
      if (!quantized.contains(tensor.name())) {
        copied.add(tensor);
      }
    }
    List<Nameless> units = new ArrayList<>();
    int shard = 0;
    for (Map.Entry<String, List<PlannedTensor>> entry : byShard.entrySet()) {
      shard++;
      List<PlannedTensor> tensors = List.copyOf(entry.getValue());
      if (!tensors.isEmpty()) {
        units.add(
            new Nameless(
                position(tensors.getFirst().name()),
                "copied-%05d".formatted(shard),
                "copied\n" + entry.getKey(),
                id -> new Unit.Copied(id, tensors)));
      }
    }
    return units;
  }

  private static List<Unit> inDiskOrder(List<Nameless> nameless) {
    List<Nameless> sorted =
        nameless.stream().sorted(Comparator.comparingInt(Nameless::position)).toList();
    List<String> ids =
        UnitNames.ids(sorted.stream().map(unit -> Map.entry(unit.name(), unit.unique())).toList());
    List<Unit> units = new ArrayList<>();
    for (int i = 0; i < sorted.size(); i++) {
      units.add(sorted.get(i).named().apply(ids.get(i)));
    }
    return units;
  }

  private PlannedTensor tensor(String name) {
    return planned.get(position(name));
  }

  private int position(String name) {
    Integer found = positions.get(name);
    if (found == null) {
      throw new IllegalArgumentException(name + " is not among the tensors");
    }
    return found;
  }
}
