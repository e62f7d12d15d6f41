package io.cafeq.engine.plan;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Makes a plan from names and shapes alone; no weights are read. The same checkpoint and recipe give the same plan.
 *
 * <p>Quantized are the linear layers that the model's family names, or what {@code include} asks for; all other tensors
 * keep their bytes, gathered into one unit a shard. Matrices that read the same input become one unit where their
 * settings are equal and an input-side transform serves them best.
 */
public final class Planner {
  private final ModelFamily family;
  private final Warnings warnings = new Warnings();
  private final Selection selection;
  private final TreatmentChooser chooser;
  private final Map<String, List<String>> aliases = new TreeMap<>();

  private Planner(JsonNode config, Map<String, String> aliasToStored, Recipe recipe) {
    family = Families.of(config);
    selection = new Selection(recipe, warnings);
    chooser = new TreatmentChooser(recipe, warnings);
    new TreeMap<>(aliasToStored).forEach(
        (alias, stored) -> aliases.computeIfAbsent(stored, key -> new ArrayList<>()).add(alias));
    if (family instanceof UnknownFamily) {
      warnings.add(unknownFamily(config));
    }
  }

  /**
   * The plan for a checkpoint.
   *
   * @throws EngineException if a pattern of the recipe matches no tensor
   */
  public static Plan plan(Checkpoint checkpoint, Recipe recipe) {
    String name = checkpoint.folder().toString();
    return plan(name, checkpoint.config(), checkpoint.tensors(), checkpoint.aliases(), recipe);
  }

  /**
   * The plan for a model of which only the headers are known.
   *
   * @param modelName for messages
   * @param config config.json
   * @param tensors in disk order
   * @param aliases names of tied tensors to the names of the stored ones
   * @throws EngineException if a pattern of the recipe matches no tensor
   */
  public static Plan plan(
      String modelName, JsonNode config, List<TensorInfo> tensors, Map<String, String> aliases, Recipe recipe) {
    return new Planner(config, aliases, recipe).plan(modelName, tensors);
  }

  /** A tensor that is quantized, and where it comes on disk. */
  private record Chosen(int position, PlannedTensor tensor, TensorSettings settings, Optional<String> input) {}

  /** Chosen tensors that may share a transform. */
  private record Sharing(String input, TensorSettings settings) {}

  /** A unit that lacks only its ID. */
  private record Draft(int position, String name, String unique, Function<String, Unit> named) {}

  private Plan plan(String modelName, List<TensorInfo> tensors) {
    selection.requireUsedPatterns(tensors.stream().map(this::names).toList(), modelName);
    List<Draft> drafts = new ArrayList<>();
    Map<Sharing, List<Chosen>> sharing = new LinkedHashMap<>();
    Map<String, List<Integer>> copied = new LinkedHashMap<>();
    List<PlannedTensor> planned = new ArrayList<>();
    for (int i = 0; i < tensors.size(); i++) {
      TensorInfo info = tensors.get(i);
      ModelFamily.Place place = place(info);
      planned.add(new PlannedTensor(info, place.role()));
      List<Integer> copiedOfShard = copied.computeIfAbsent(info.file(), file -> new ArrayList<>());
      Optional<TensorSettings> settings = selection.settings(info, names(info), place.role());
      if (settings.isEmpty()) {
        copiedOfShard.add(i);
        continue;
      }
      Chosen chosen = new Chosen(i, planned.get(i), settings.get(), place.input());
      if (place.input().isPresent()) {
        sharing.computeIfAbsent(new Sharing(place.input().get(), settings.get()), key -> new ArrayList<>()).add(chosen);
      } else {
        drafts.add(single(chosen));
      }
    }
    sharing.forEach((key, members) -> drafts.addAll(shared(key, members)));
    drafts.addAll(copies(copied, planned));
    selection.warnOfPatternsWithoutEffect();
    return new Plan(family.name(), inDiskOrder(drafts), warnings.sentences());
  }

  private List<Draft> shared(Sharing key, List<Chosen> members) {
    boolean stackable = members.size() > 1
        && members.stream().map(member -> member.tensor().info().columns()).distinct().count() == 1;
    Optional<Treatment> together = stackable
        ? chooser.shared(key.settings(), members.stream().map(member -> member.tensor().info()).toList())
        : Optional.empty();
    if (together.isEmpty()) {
      return members.stream().map(this::single).toList();
    }
    // By role, so that the stacked matrix does not depend on how a file happens to be ordered.
    List<PlannedTensor> tensors = members.stream()
        .map(Chosen::tensor)
        .sorted(Comparator.comparing(PlannedTensor::role).thenComparing(PlannedTensor::name))
        .toList();
    List<String> roles = tensors.stream().map(tensor -> tensor.role().shortText()).toList();
    String joined = String.join(roles.stream().allMatch(role -> role.length() == 1) ? "" : "_", roles);
    String unique = tensors.stream().map(PlannedTensor::name).collect(Collectors.joining("\n"));
    int position = members.stream().mapToInt(Chosen::position).min().orElseThrow();
    return List.of(new Draft(position, key.input() + "." + joined, unique,
        id -> new Unit.SharedInput(id, tensors, together.get())));
  }

  private Draft single(Chosen chosen) {
    PlannedTensor tensor = chosen.tensor();
    Treatment treatment = chooser.single(chosen.settings(), tensor.info());
    String name = tensor.name().endsWith(".weight")
        ? tensor.name().substring(0, tensor.name().length() - ".weight".length())
        : tensor.name();
    return new Draft(chosen.position(), name, tensor.name(), id -> new Unit.Single(id, tensor, treatment));
  }

  /** Numbered by shard, so that a shard's copies keep their name whatever the recipe does to other shards. */
  private static List<Draft> copies(Map<String, List<Integer>> copied, List<PlannedTensor> planned) {
    List<Draft> drafts = new ArrayList<>();
    int shard = 0;
    for (Map.Entry<String, List<Integer>> entry : copied.entrySet()) {
      shard++;
      if (!entry.getValue().isEmpty()) {
        List<PlannedTensor> tensors = entry.getValue().stream().map(planned::get).toList();
        drafts.add(new Draft(entry.getValue().getFirst(), "copied-%05d".formatted(shard), "copied\n" + entry.getKey(),
            id -> new Unit.Copied(id, tensors)));
      }
    }
    return drafts;
  }

  private static List<Unit> inDiskOrder(List<Draft> drafts) {
    List<Draft> sorted = drafts.stream().sorted(Comparator.comparingInt(Draft::position)).toList();
    List<String> ids = UnitNames.ids(sorted.stream().map(draft -> Map.entry(draft.name(), draft.unique())).toList());
    List<Unit> units = new ArrayList<>();
    for (int i = 0; i < sorted.size(); i++) {
      units.add(sorted.get(i).named().apply(ids.get(i)));
    }
    return units;
  }

  private List<String> names(TensorInfo tensor) {
    List<String> names = new ArrayList<>(List.of(tensor.name()));
    names.addAll(aliases.getOrDefault(tensor.name(), List.of()));
    return names;
  }

  /** A tensor that is tied to the embedding is looked up too, under whichever name it is stored. */
  private ModelFamily.Place place(TensorInfo tensor) {
    List<ModelFamily.Place> places = names(tensor).stream().map(family::place).toList();
    return places.stream()
        .filter(place -> place.role() == Role.EMBEDDING)
        .findFirst()
        .or(() -> places.stream().filter(place -> place.role() != Role.OTHER).findFirst())
        .orElseGet(places::getFirst);
  }

  private static String unknownFamily(JsonNode config) {
    String found = Families.modelType(config).map(type -> "model_type '" + type + "' is not known")
        .orElse("config.json names no model_type");
    return "%s (known are %s): no transforms are shared, and only what include matches is quantized."
        .formatted(found, Families.names());
  }
}
