package io.cafeq.engine.plan;

import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.plan.Part.RowRange;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Finds what belongs together: pairs and the other rows of their tensors, matrices that read the
 * same input, the experts of a layer.
 */
final class Clusters {
  /**
   * Rows that one input-side transform serves at most, so that learning it stays within a worker's
   * memory.
   */
  private static final int MOST_STACKED_ROWS = 1 << 16;

  private final Recipe recipe;
  private final Map<String, PlannedTensor> planned = new LinkedHashMap<>();
  private final Map<String, Chosen> chosen = new LinkedHashMap<>();
  private final Set<String> tied;

  /** A tensor that is quantized, and where it comes on disk. */
  record Chosen(
      int position, PlannedTensor tensor, TensorSettings settings, ModelFamily.Place place) {}

  /**
   * What becomes one file, or, where its matrices are decided to be apart, one file for each.
   *
   * @param divisible whether matrices that are treated apart become units of their own
   * @param name readable, starts the unit's ID
   * @param biases that a pair's transform is carried out on
   */
  record Draft(
      String name,
      boolean divisible,
      List<Chosen> members,
      List<PlannedTensor> biases,
      List<Cluster> clusters) {
    Draft {
      members = List.copyOf(members);
      biases = List.copyOf(biases);
      clusters = List.copyOf(clusters);
    }
  }

  /**
   * @param tied tensors that the model also has under other names
   */
  Clusters(Recipe recipe, List<PlannedTensor> planned, List<Chosen> chosen, Set<String> tied) {
    this.recipe = recipe;
    this.tied = Set.copyOf(tied);
    planned.forEach(tensor -> this.planned.put(tensor.name(), tensor));
    chosen.forEach(each -> this.chosen.put(each.tensor().name(), each));
  }

  List<Draft> drafts(ModelFamily.Couplings couplings, Warnings warnings) {
    boolean wanted =
        recipe.pairs().enabled()
            && chosen.values().stream().anyMatch(each -> isPairable(each.settings()));
    if (wanted) {
      couplings.refused().forEach(warnings::add);
    }
    List<Draft> drafts = new ArrayList<>();
    List<Coupling> usable =
        wanted ? couplings.legal().stream().filter(this::isUsable).toList() : List.of();
    for (List<Coupling> component : components(usable)) {
      drafts.add(coupled(component));
    }
    Set<String> taken =
        drafts.stream()
            .flatMap(draft -> draft.members().stream())
            .map(member -> member.tensor().name())
            .collect(Collectors.toSet());
    Map<Sharing, List<Chosen>> sharing = new LinkedHashMap<>();
    Map<Sharing, List<Chosen>> experts = new LinkedHashMap<>();
    for (Chosen each : chosen.values()) {
      if (taken.contains(each.tensor().name())) {
        continue;
      }
      ModelFamily.Place place = each.place();
      if (place.experts().isPresent()) {
        String kind = place.input().isPresent() ? "gate_up" : each.tensor().role().shortText();
        Sharing key = new Sharing(place.experts().get() + "." + kind, each.settings());
        experts.computeIfAbsent(key, unseen -> new ArrayList<>()).add(each);
      } else if (place.input().isPresent()) {
        sharing
            .computeIfAbsent(
                new Sharing(place.input().get(), each.settings()), key -> new ArrayList<>())
            .add(each);
      } else {
        drafts.add(single(each));
      }
    }
    sharing.forEach((key, members) -> drafts.addAll(shared(key, members)));
    experts.forEach((key, members) -> drafts.add(experts(key, members)));
    return drafts;
  }

  /** Matrices that may be in one unit. */
  private record Sharing(String name, TensorSettings settings) {}

  private static boolean isPairable(TensorSettings settings) {
    return settings.method() == Method.CAFEQ || settings.method() == Method.ROTATION;
  }

  private boolean isUsable(Coupling coupling) {
    Chosen left = chosen.get(coupling.left());
    Chosen right = chosen.get(coupling.right());
    boolean sameSize = coupling.heads().stream().map(Coupling.Head::size).distinct().count() == 1;
    return left != null
        && right != null
        && sameSize
        && !left.settings().foldsScales()
        && (coupling.kind() == Coupling.Kind.VALUE_OUTPUT || !right.settings().foldsScales())
        && (coupling.kind() == Coupling.Kind.QUERY_KEY
            || TreatmentLimits.takesHeads(
                right.settings(),
                coupling.heads().getFirst().size(),
                right.tensor().weight().columns()))
        && isPairable(left.settings())
        && left.settings().method() == right.settings().method()
        && !tied.contains(coupling.left())
        && !tied.contains(coupling.right())
        && canFold(coupling.leftBias())
        && canFold(coupling.rightBias());
  }

  private boolean canFold(Optional<String> bias) {
    PlannedTensor found = bias.map(planned::get).orElse(null);
    return bias.isEmpty()
        || (found != null && found.info().dtype().isWeight() && !tied.contains(bias.get()));
  }

  /** Couplings that have a tensor in common, directly or through others, belong into one unit. */
  private static List<List<Coupling>> components(List<Coupling> couplings) {
    Map<String, Integer> component = new TreeMap<>();
    Map<Integer, List<Coupling>> members = new LinkedHashMap<>();
    int next = 0;
    for (Coupling coupling : couplings) {
      int id = next++;
      List<Coupling> together = new ArrayList<>();
      for (String name : List.of(coupling.left(), coupling.right())) {
        Integer other = component.get(name);
        if (other != null && members.containsKey(other)) {
          together.addAll(members.remove(other));
        }
      }
      together.add(coupling);
      together.forEach(
          each -> {
            component.put(each.left(), id);
            component.put(each.right(), id);
          });
      members.put(id, together);
    }
    return List.copyOf(members.values());
  }

  private Draft coupled(List<Coupling> component) {
    Set<String> names = new LinkedHashSet<>();
    Set<String> biases = new LinkedHashSet<>();
    List<Cluster> clusters = new ArrayList<>();
    for (Coupling coupling : component) {
      names.add(coupling.left());
      names.add(coupling.right());
      if (!recipe.pairs().reverse()) {
        coupling.leftBias().ifPresent(biases::add);
        coupling.rightBias().ifPresent(biases::add);
      }
      clusters.add(
          new Cluster.Coupled(
              coupling,
              tensor(coupling.left()),
              coupling.leftBias().map(this::tensor),
              tensor(coupling.right()),
              coupling.rightBias().map(this::tensor),
              chosenTensor(coupling.left()).settings(),
              chosenTensor(coupling.right()).settings()));
    }
    List<Chosen> members = names.stream().map(this::chosenTensor).sorted(BY_ROLE).toList();
    for (Chosen member : members) {
      List<RowRange> rest = rest(member.tensor(), component);
      if (!rest.isEmpty()) {
        clusters.add(new Cluster.Matrices(List.of(new Cluster.Member(rest)), member.settings()));
      }
    }
    return new Draft(
        commonName(members), false, members, biases.stream().map(this::tensor).toList(), clusters);
  }

  /** Rows of the tensor that none of the couplings takes. */
  private static List<RowRange> rest(PlannedTensor tensor, List<Coupling> component) {
    TreeMap<Integer, Integer> taken = new TreeMap<>();
    for (Coupling coupling : component) {
      for (Coupling.Head head : coupling.heads()) {
        if (coupling.left().equals(tensor.name())) {
          taken.put(head.left(), head.left() + head.size());
        }
        if (coupling.right().equals(tensor.name())) {
          switch (coupling.kind()) {
            case VALUE_OUTPUT -> taken.put(0, tensor.weight().allRows());
            case QUERY_KEY -> head.right().forEach(first -> taken.put(first, first + head.size()));
          }
        }
      }
    }
    List<RowRange> rest = new ArrayList<>();
    int next = 0;
    taken.put(tensor.weight().allRows(), tensor.weight().allRows());
    for (Map.Entry<Integer, Integer> range : taken.entrySet()) {
      if (range.getKey() > next) {
        rest.add(new RowRange(tensor, next, range.getKey() - next));
      }
      next = Math.max(next, range.getValue());
    }
    return rest;
  }

  private static Draft single(Chosen chosen) {
    PlannedTensor tensor = chosen.tensor();
    List<Cluster> clusters = matrices(List.of(chosen), 1);
    return new Draft(Units.name(tensor), false, List.of(chosen), List.of(), clusters);
  }

  /** By role, so that the stacked matrix does not depend on how a file happens to be ordered. */
  private static List<Draft> shared(Sharing key, List<Chosen> members) {
    if (members.stream().map(member -> member.tensor().weight().columns()).distinct().count() > 1
        || members.stream().anyMatch(member -> member.tensor().weight().experts() > 1)) {
      return members.stream().map(Clusters::single).toList();
    }
    List<Chosen> sorted = members.stream().sorted(BY_ROLE).toList();
    return List.of(
        new Draft(
            key.name() + "." + roles(sorted),
            true,
            sorted,
            List.of(),
            matrices(sorted, MOST_STACKED_ROWS)));
  }

  /**
   * All of one kind in one file: experts that read the same input share transforms as far as memory
   * allows.
   */
  private static Draft experts(Sharing key, List<Chosen> members) {
    List<Chosen> sorted = new ArrayList<>(members);
    sorted.sort(Comparator.comparingInt(Chosen::position));
    boolean sharesInput =
        members.getFirst().place().input().isPresent()
            && members.stream().map(member -> member.tensor().weight().columns()).distinct().count()
                == 1;
    List<Cluster> clusters = matrices(sorted, sharesInput ? MOST_STACKED_ROWS : 1);
    return new Draft(key.name(), false, sorted, List.of(), clusters);
  }

  /** Consecutive matrices are gathered until they have that many rows. */
  private static List<Cluster> matrices(List<Chosen> chosen, int mostRows) {
    List<Cluster> clusters = new ArrayList<>();
    Map<PlannedTensor, List<RowRange>> gathered = new LinkedHashMap<>();
    long rows = 0;
    for (Chosen each : chosen) {
      for (RowRange range : RowRange.all(each.tensor())) {
        if (rows > 0 && rows + range.count() > mostRows) {
          clusters.add(matrices(gathered, each.settings()));
          gathered.clear();
          rows = 0;
        }
        gathered.computeIfAbsent(each.tensor(), key -> new ArrayList<>()).add(range);
        rows += range.count();
      }
    }
    clusters.add(matrices(gathered, chosen.getFirst().settings()));
    return clusters;
  }

  private static Cluster matrices(
      Map<PlannedTensor, List<RowRange>> gathered, TensorSettings settings) {
    return new Cluster.Matrices(
        gathered.values().stream().map(Cluster.Member::new).toList(), settings);
  }

  private static final Comparator<Chosen> BY_ROLE =
      Comparator.<Chosen, Role>comparing(member -> member.tensor().role())
          .thenComparing(member -> member.tensor().name());

  /** What the tensors' names begin with, and their roles. */
  private static String commonName(List<Chosen> members) {
    String prefix =
        members.stream()
            .map(member -> member.tensor().name())
            .reduce(
                (a, b) -> {
                  int same = 0;
                  while (same < Math.min(a.length(), b.length())
                      && a.charAt(same) == b.charAt(same)) {
                    same++;
                  }
                  return a.substring(0, same);
                })
            .orElseThrow();
    return prefix.substring(0, prefix.lastIndexOf('.') + 1) + roles(members);
  }

  /** Roles of one letter are written together. */
  private static String roles(List<Chosen> members) {
    List<String> roles =
        members.stream().map(member -> member.tensor().role().shortText()).toList();
    return String.join(roles.stream().allMatch(role -> role.length() == 1) ? "" : "_", roles);
  }

  private PlannedTensor tensor(String name) {
    PlannedTensor found = planned.get(name);
    if (found == null) {
      throw new IllegalArgumentException("a coupling names " + name + ", which is not there");
    }
    return found;
  }

  private Chosen chosenTensor(String name) {
    Chosen found = chosen.get(name);
    if (found == null) {
      throw new IllegalArgumentException("a coupling names " + name + ", which is not quantized");
    }
    return found;
  }
}
