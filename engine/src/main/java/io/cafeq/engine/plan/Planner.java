package io.cafeq.engine.plan;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.SourceQuantization;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.family.Families;
import io.cafeq.engine.family.KeptReason;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Makes a plan from names and shapes alone; no weights are read unless the chooser does. The same
 * checkpoint and recipe give the same plan.
 *
 * <p>Quantized are the linear layers that the model's family names, or what {@code include} asks
 * for; all other tensors keep their bytes, gathered into one unit per shard. {@link Clusters} says
 * about which rows one decision is made, a {@link Cluster.Chooser} decides, {@link Units} makes
 * units of that.
 */
public final class Planner {
  private final List<TensorInfo> tensors;
  private final WeightTensors layouts;
  private final ModelFamily family;
  private final Warnings warnings = new Warnings();
  private final Recipe recipe;
  private final Selection selection;
  private final Map<String, List<String>> aliases = new TreeMap<>();

  private Planner(
      ModelDescription model,
      List<TensorInfo> tensors,
      WeightTensors layouts,
      Map<String, String> aliasToStored,
      Recipe recipe) {
    this.tensors = List.copyOf(tensors);
    this.layouts = layouts;
    this.recipe = recipe;
    family = model.family();
    selection = new Selection(recipe, warnings);
    new TreeMap<>(aliasToStored)
        .forEach(
            (alias, stored) ->
                aliases.computeIfAbsent(stored, key -> new ArrayList<>()).add(alias));
    if (!family.isKnown()) {
      warnings.add(unknownFamily(model.config()));
    }
  }

  /**
   * The plan for a checkpoint, chosen by cost alone.
   *
   * @throws EngineException if a pattern of the recipe matches no tensor
   */
  public static Plan plan(Checkpoint checkpoint, Recipe recipe) {
    Planner planner = of(checkpoint, recipe);
    return planner.plan(checkpoint.location(), new TreatmentChooser(recipe, planner.warnings));
  }

  /** The plan for a checkpoint as the chooser decides. */
  public static Plan plan(Checkpoint checkpoint, Recipe recipe, Cluster.Chooser chooser) {
    return of(checkpoint, recipe).plan(checkpoint.location(), chooser);
  }

  private static Planner of(Checkpoint checkpoint, Recipe recipe) {
    ModelDescription model = ModelDescription.of(checkpoint);
    Planner planner =
        new Planner(
            model, checkpoint.tensors(), checkpoint.weights(), checkpoint.aliases(), recipe);
    List<String> told =
        SourceQuantization.check(
            checkpoint,
            model::isInLayers,
            info -> planner.selection.isExcluded(planner.names(info)));
    told.forEach(planner.warnings::add);
    return planner;
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
      String modelName,
      ModelConfig config,
      List<TensorInfo> tensors,
      Map<String, String> aliases,
      Recipe recipe) {
    WeightTensors layouts = WeightTensors.of(tensors, config);
    ModelDescription model = ModelDescription.of(config, layouts.shapes());
    Planner planner = new Planner(model, tensors, layouts, aliases, recipe);
    return planner.plan(modelName, new TreatmentChooser(recipe, planner.warnings));
  }

  private Plan plan(String modelName, Cluster.Chooser chooser) {
    selection.requireUsedPatterns(tensors.stream().map(this::names).toList(), modelName);
    Map<String, TensorInfo> byName = new LinkedHashMap<>();
    CoverageCounter coverage = new CoverageCounter();
    List<PlannedTensor> planned = new ArrayList<>();
    List<Clusters.Chosen> chosen = new ArrayList<>();
    for (TensorInfo info : tensors) {
      ModelFamily.Place place = place(info);
      Optional<WeightTensor> weight = weight(info, place);
      TensorInfo unquantized = weight.map(WeightTensor::unquantized).orElse(info);
      byName.put(info.name(), unquantized);
      planned.add(
          new PlannedTensor(weight.orElseGet(() -> WeightTensor.plain(info)), place.role()));
      if (layouts.companions().containsKey(info.name())) {
        continue;
      }
      long weights = weight.map(WeightTensor::elements).orElseGet(info::elements);
      switch (selection.choose(info, weight, names(info), place)) {
        case Selection.Choice.Quantized(TensorSettings settings) -> {
          chosen.add(new Clusters.Chosen(planned.size() - 1, planned.getLast(), settings, place));
          coverage.quantized(place.role(), weights);
        }
        case Selection.Choice.LeftByRecipe left ->
            coverage.kept(info, KeptReason.RECIPE, weights, weight.isPresent());
        case Selection.Choice.Unreadable unreadable ->
            coverage.kept(info, KeptReason.UNREADABLE, weights, false);
        case Selection.Choice.Kept kept -> {
          KeptReason reason = family.reason(info.name(), unquantized.shape());
          if (reason.isLoss() && selection.isExcluded(names(info))) {
            coverage.kept(info, KeptReason.RECIPE, weights, weight.isPresent());
          } else {
            coverage.kept(info, reason, weights, weight.isPresent());
            warn(info, weight, place.role(), reason);
          }
        }
      }
    }
    ModelFamily.Couplings couplings = family.couplings(byName);
    List<Clusters.Draft> drafts =
        new Clusters(
                recipe, planned, FoldableInputs.settled(family, byName, chosen), aliases.keySet())
            .drafts(couplings, warnings);
    List<Unit> units = new Units(planned).of(drafts, chooser);
    selection.warnOfPatternsWithoutEffect();
    return new Plan(family.name(), units, coverage.total(), warnings.sentences());
  }

  /**
   * Empty where the tensor is no matrix of weights that can be read, or a stack, which only a
   * family can explain.
   */
  private Optional<WeightTensor> weight(TensorInfo info, ModelFamily.Place place) {
    return switch (layouts.read(info, place.transposed())) {
      case WeightTensors.Reading.Weights(WeightTensor weight) ->
          weight.isStack() && place.experts().isEmpty() ? Optional.empty() : Optional.of(weight);
      case WeightTensors.Reading.NoWeights no -> Optional.empty();
    };
  }

  /** Of matrices outside what the family and the structure explain. */
  private void warn(TensorInfo info, Optional<WeightTensor> weight, Role role, KeptReason reason) {
    if (info.shape().size() < 2 || role != Role.OTHER || !recipe.tensors().include().isEmpty()) {
      return;
    }
    switch (reason) {
      case OTHER_MODALITY ->
          warnings.add(
              "Of another modality, so it keeps its bytes" + unlessIncluded(weight), info.name());
      case UNREADABLE ->
          warnings.add(
              "A tensor in a layer that is neither a matrix nor a known stack of experts keeps"
                  + " its bytes",
              info.name());
      case OUTSIDE ->
          warnings.add(
              "A matrix outside the repeated layers keeps its bytes" + unlessIncluded(weight),
              info.name());
      case FAMILY ->
          warnings.add(
              "A matrix that the model's family does not name keeps its bytes"
                  + unlessIncluded(weight),
              info.name());
      case EMBEDDINGS, STEERING, UNUSED_LAYERS, RECIPE -> {}
    }
  }

  /** Of what cannot be read as a matrix nothing is promised. */
  private static String unlessIncluded(Optional<WeightTensor> weight) {
    return weight.isPresent() ? " unless include matches it" : "";
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

  private static String unknownFamily(ModelConfig config) {
    String found =
        config
            .modelType()
            .map(type -> "model_type '" + type + "' is not known")
            .orElse("config.json names no model_type");
    return ("%s (known families: %s): each matrix is quantized by itself, no transforms are shared"
            + " and no matrices are paired. Check the list of \"cafeq plan\"; exclude keeps"
            + " tensors as they are.")
        .formatted(found, Families.names());
  }
}
