package io.cafeq.engine.family;

import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The parts of a model, found by what its names and shapes have in common rather than by the
 * family: the text model's layers, layers that serve drafts, towers of other modalities, tables of
 * the vocabulary. Immutable.
 *
 * <p>Layers are what has numbers. Where config.json describes models of other modalities, stacks
 * that are called after one, have the size of one, or have no matrix as wide as the text model are
 * their towers. Where it describes none, all stacks are the model, unless some are called towers
 * and others are not.
 */
final class ModelStructure {
  /** Place of a tensor. */
  enum Region {
    /** In a layer of the text model. */
    LAYER,
    /**
     * In layers that the text model does not run: drafts, and what is beyond the number of layers
     * in config.json.
     */
    UNUSED_LAYER,
    /** In a tower of another modality, or between it and the text model. */
    OTHER_MODALITY,
    /** A row for each entry of a vocabulary: embeddings and heads. */
    VOCABULARY,
    /** Anywhere else outside the layers. */
    OUTSIDE
  }

  private final ModelSections sections;
  private final OptionalLong hidden;
  private final Map<String, LayerStack> text;
  private final Set<String> towers;
  private final Set<String> drafts;
  private final Set<Long> steered;

  private ModelStructure(
      ModelSections sections,
      OptionalLong hidden,
      List<LayerStack> text,
      List<LayerStack> drafts,
      List<LayerStack> towers) {
    this.sections = sections;
    this.hidden = hidden;
    this.text =
        text.stream().collect(Collectors.toUnmodifiableMap(LayerStack::start, stack -> stack));
    this.drafts = starts(drafts);
    this.towers = starts(towers);
    Set<Long> counts = new HashSet<>(sections.heads());
    text.forEach(stack -> counts.addAll(stack.experts()));
    this.steered = Set.copyOf(counts);
  }

  /**
   * @param shapes of all tensors, by name; [out, in] or [experts, out, in] where they are packed
   */
  static ModelStructure of(ModelConfig config, Map<String, List<Long>> shapes) {
    ModelSections sections = ModelSections.of(config);
    List<LayerStack> stacks = LayerStack.find(shapes);
    List<LayerStack> drafts =
        stacks.stream().filter(stack -> words(stack).hasAny(LayerWords.DRAFTS)).toList();
    List<LayerStack> others =
        stacks.stream()
            .filter(stack -> !drafts.contains(stack) && !words(stack).lastHasAny(LayerWords.HEADS))
            .toList();
    OptionalLong hidden =
        sections.hidden().isPresent() ? sections.hidden() : embeddingWidth(sections, shapes);
    List<LayerStack> text = textModel(sections, hidden, others);
    List<LayerStack> towers = others.stream().filter(stack -> !text.contains(stack)).toList();
    return new ModelStructure(sections, hidden, text, drafts, towers);
  }

  private static OptionalLong embeddingWidth(
      ModelSections sections, Map<String, List<Long>> shapes) {
    return shapes.values().stream()
        .filter(shape -> shape.size() == 2 && sections.vocabularies().contains(shape.getFirst()))
        .mapToLong(List::getLast)
        .max();
  }

  private static List<LayerStack> textModel(
      ModelSections sections, OptionalLong hidden, List<LayerStack> stacks) {
    if (sections.kind() == ModelSections.Kind.WITHOUT_TEXT) {
      return stacks;
    }
    Predicate<LayerStack> isTower = stack -> isCalledTower(sections, stack.start());
    if (sections.others().isEmpty()) {
      List<LayerStack> named = without(stacks, isTower);
      return named.isEmpty() ? stacks : named;
    }
    List<LayerStack> possible = preferring(stacks, isTower.negate());
    if (hidden.isPresent()) {
      possible =
          preferring(possible, stack -> isCalledText(stack) || stack.touches(hidden.getAsLong()));
    }
    List<LayerStack> found =
        preferring(
            possible, stack -> isCalledText(stack) || !isOfAnotherSection(sections, hidden, stack));
    if (sections.layers().isPresent() && !sections.encoderDecoder()) {
      long count = sections.layers().getAsLong();
      found = preferring(found, stack -> isCalledText(stack) || stack.count() >= count);
    }
    List<LayerStack> certain = found;
    return possible.stream()
        .filter(stack -> certain.contains(stack) || isBeside(stack, certain))
        .toList();
  }

  /**
   * Whether it has the sizes that config.json gives for a model of another modality, and not those
   * of the text model.
   */
  private static boolean isOfAnotherSection(
      ModelSections sections, OptionalLong hidden, LayerStack stack) {
    boolean fitsText = sections.layers().orElse(stack.count()) == stack.count();
    return !fitsText
        && sections.others().stream()
            .anyMatch(
                other ->
                    other.layers() == stack.count()
                        && (other.hidden() == 0 || stack.touches(other.hidden())))
        && hidden.isPresent();
  }

  /**
   * Whether it is in the same module as one of them, as layers are that the text model runs between
   * its own.
   */
  private static boolean isBeside(LayerStack stack, List<LayerStack> whole) {
    String module = module(stack);
    return !module.isEmpty() && whole.stream().anyMatch(other -> module(other).equals(module));
  }

  private static String module(LayerStack stack) {
    return stack
        .start()
        .substring(0, stack.start().lastIndexOf('.', Math.max(0, stack.start().length() - 2)) + 1);
  }

  /** By words that nearly every maker uses, or by those of config.json's own sections. */
  private static boolean isCalledTower(ModelSections sections, String name) {
    NameWords words = NameWords.of(name);
    return words.endsWithAny(LayerWords.OTHER_MODALITIES, LayerWords.TEXT)
        || sections.others().stream()
            .anyMatch(other -> words.endsWithAny(other.words(), LayerWords.TEXT));
  }

  private static boolean isCalledText(LayerStack stack) {
    return words(stack).endsWithAny(LayerWords.TEXT, LayerWords.OTHER_MODALITIES);
  }

  private static NameWords words(LayerStack stack) {
    return NameWords.of(stack.start());
  }

  private static List<LayerStack> without(
      List<LayerStack> stacks, Predicate<LayerStack> condition) {
    return stacks.stream().filter(condition.negate()).toList();
  }

  /** Those that meet the condition, or all where none does. */
  private static List<LayerStack> preferring(
      List<LayerStack> stacks, Predicate<LayerStack> condition) {
    List<LayerStack> preferred = stacks.stream().filter(condition).toList();
    return preferred.isEmpty() ? stacks : preferred;
  }

  private static Set<String> starts(List<LayerStack> stacks) {
    return stacks.stream().map(LayerStack::start).collect(Collectors.toUnmodifiableSet());
  }

  /**
   * @param shape as in {@link #of}
   */
  Region region(String name, List<Long> shape) {
    LayerStack.Numbered found = LayerStack.locate(name).orElse(null);
    if (found != null && text.containsKey(found.start())) {
      return isUsed(found) ? Region.LAYER : Region.UNUSED_LAYER;
    }
    if ((found != null && drafts.contains(found.start()))
        || NameWords.of(name).hasAny(LayerWords.DRAFTS)) {
      return Region.UNUSED_LAYER;
    }
    boolean inTower = found != null && towers.contains(found.start());
    if (inTower || (hasTowers() && isCalledTower(sections, name))) {
      return Region.OTHER_MODALITY;
    }
    return isOfVocabulary(shape) ? Region.VOCABULARY : Region.OUTSIDE;
  }

  /**
   * Whether a tensor is numbered as those of layers are and in no tower of another modality, used
   * by the model or not. Names decide where too little is there to see a structure in.
   *
   * @param shape as in {@link #of}
   */
  boolean isInLayers(String name, List<Long> shape) {
    return LayerStack.locate(name).isPresent()
        && switch (region(name, shape)) {
          case LAYER, UNUSED_LAYER -> true;
          case OTHER_MODALITY -> false;
          case VOCABULARY, OUTSIDE -> !isCalledTower(sections, name);
        };
  }

  private boolean hasTowers() {
    return !towers.isEmpty() || !sections.others().isEmpty();
  }

  private boolean isUsed(LayerStack.Numbered found) {
    return sections.encoderDecoder()
        || text.size() > 1
        || sections.layers().isEmpty()
        || found.number() < sections.layers().getAsLong();
  }

  /** Whether one of the two dimensions is a vocabulary's. */
  boolean isOfVocabulary(List<Long> shape) {
    return shape.size() == 2 && shape.stream().anyMatch(sections.vocabularies()::contains);
  }

  /** Whether it is looked up in: it has a vocabulary's rows, or is called so. */
  boolean isTable(String name, List<Long> shape) {
    return shape.size() == 2
        && (sections.vocabularies().contains(shape.getFirst())
            || NameWords.of(name).lastHasAny(LayerWords.TABLES));
  }

  /** Channels of the text model; empty where neither config.json nor an embedding tells. */
  OptionalLong hidden() {
    return hidden;
  }

  /** Numbers of heads and experts: so few rows weigh these. */
  Set<Long> steered() {
    return steered;
  }

  Set<Long> experts() {
    return sections.experts();
  }

  /** The text model's layers; several stacks where an encoder and a decoder make one model. */
  List<LayerStack> layers() {
    return List.copyOf(text.values());
  }
}
