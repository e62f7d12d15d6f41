package io.cafeq.engine.family;

import io.cafeq.engine.family.LayerShapes.InLayer;
import io.cafeq.engine.family.ModelFamily.Place;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What the tensors of a layer are where no family names them, by shapes and by words that mean the
 * same everywhere: matrices, stacks of experts in either order, and the few rows that steer.
 */
final class LayerRoles {
  /** Fewer channels than any matrix has on a side that carries the model's content. */
  private static final long FEW = 8;

  /** "A few dozen": as many may still steer beside a much longer side. */
  private static final long DOZENS = 64;

  private static final long MUCH_LONGER = 12;

  /** Kernels of convolutions are shorter. */
  private static final long LONGEST_KERNEL = 8;

  private static final long NARROWEST_EXPERT = 16;
  private static final String PER_LAYER = "per_layer_";
  private static final Set<String> DOWN =
      Set.of("down", "w2", "output", "out", "fc2", "lin2", "linear2", "wo");
  private static final Set<String> GATE = Set.of("gate", "w1");
  private static final Set<String> UP = Set.of("up", "w3");
  private static final Set<String> BOTH = Set.of("w13", "input");
  private static final String WEIGHT = ".weight";

  private final ModelStructure structure;
  private final LayerShapes layers;

  LayerRoles(ModelStructure structure, LayerShapes layers) {
    this.structure = structure;
    this.layers = layers;
  }

  /** What a tensor is. */
  sealed interface Found {
    /** Empty for what is not multiplied. */
    default Optional<Place> place() {
      return this instanceof Multiplied(Place where) ? Optional.of(where) : Optional.empty();
    }

    /** A matrix, or a stack of them, that is multiplied. */
    record Multiplied(Place where) implements Found {}

    /** Something that decides, mixes or looks up. */
    record Steering() implements Found {}

    /** A shape that is neither. */
    record Unclear() implements Found {}
  }

  /** What a tensor of a layer is; empty for what is in no layer. */
  Optional<Found> find(String tensorName) {
    return layers.find(tensorName).map(this::find);
  }

  private Found find(InLayer at) {
    List<Long> shape = at.shape();
    NameWords words = NameWords.of(at.rest());
    if (shape.size() < 2
        || isNorm(words)
        || words.hasAny(LayerWords.STEERING)
        || words.lastHasAny(LayerWords.STEERING_LAST)
        || words.isInside(LayerWords.STEERING_MODULES)
        || LayerWords.STEERING_NAMES.contains(words.lastText())) {
      return new Found.Steering();
    }
    return switch (shape.size()) {
      case 2 -> isMatrix(at, words) ? new Found.Multiplied(place(at, words)) : new Found.Steering();
      case 3 -> isStack(at, words) ? new Found.Multiplied(place(at, words)) : new Found.Steering();
      default -> new Found.Unclear();
    };
  }

  /** A norm itself, or a tensor directly within one. */
  private static boolean isNorm(NameWords words) {
    return isNorm(words.last()) || isNorm(words.outer());
  }

  private static boolean isNorm(List<String> words) {
    return words.stream().anyMatch(word -> word.endsWith("norm") || word.equals("ln"))
        && !words.contains("attn");
  }

  private boolean isMatrix(InLayer at, NameWords words) {
    List<Long> shape = at.shape();
    long shorter = Math.min(shape.get(0), shape.get(1));
    long longer = Math.max(shape.get(0), shape.get(1));
    boolean perLayer = words.lastText().startsWith(PER_LAYER);
    boolean gatesChannels = words.lastHasAny(LayerWords.GATES) && hasTwin(at);
    boolean named = perLayer || gatesChannels || words.lastHasAny(LayerWords.MATRICES);
    boolean experts = words.hasAny(LayerWords.EXPERTS);
    boolean bottleneck = !experts && words.lastHasAny(LayerWords.BOTTLENECK);
    boolean gate = !perLayer && !gatesChannels && words.lastHasAny(LayerWords.GATES);
    boolean fewest = shorter <= FEW || (shorter <= DOZENS && shorter * MUCH_LONGER <= longer);
    boolean few = fewest || structure.steered().contains(shorter);
    boolean weighs = shorter < 2 || (few && (gate || !named)) || (fewest && bottleneck);
    // what mixes channels by a short inner length is a parameter by itself in most models, no
    // module with weights
    return !weighs && !(isTable(at) && !named) && (isWeight(at.rest()) || (named && experts));
  }

  /**
   * Whether a matrix of the same shape goes up beside a gate: then the gate has a row for each
   * channel of that.
   */
  private static boolean hasTwin(InLayer at) {
    String module =
        at.rest()
            .substring(0, at.rest().lastIndexOf('.', at.rest().length() - WEIGHT.length() - 1) + 1);
    return NameWords.of(at.rest()).lastHasAny(UP)
        || at.layer().entrySet().stream()
            .filter(
                other -> !other.getKey().equals(at.rest()) && other.getValue().equals(at.shape()))
            .filter(other -> other.getKey().startsWith(module))
            .anyMatch(other -> NameWords.of(other.getKey()).lastHasAny(UP));
  }

  /** A row for each entry of a vocabulary, and nothing in the layer that reads so many channels. */
  private boolean isTable(InLayer at) {
    long rows = at.shape().getFirst();
    return structure.isOfVocabulary(List.of(rows, 0L))
        && at.layer().values().stream()
            .filter(shape -> shape.size() == 2)
            .noneMatch(shape -> shape.getLast() == rows || 2 * shape.getLast() == rows);
  }

  private boolean isStack(InLayer at, NameWords words) {
    List<Long> shape = at.shape();
    long shorter = Math.min(shape.get(1), shape.get(2));
    boolean kernel =
        words.last().stream().anyMatch(word -> word.startsWith("conv"))
            || words.outer().stream().anyMatch(word -> word.startsWith("conv1"))
            || shape.get(2) < LONGEST_KERNEL;
    boolean experts =
        words.hasAny(LayerWords.EXPERTS) || structure.experts().contains(shape.getFirst());
    return !kernel && (experts ? shorter >= 2 : shorter >= NARROWEST_EXPERT && hasStackBeside(at));
  }

  /** Experts have a matrix to go up and one to go down. */
  private static boolean hasStackBeside(InLayer at) {
    return at.layer().entrySet().stream()
        .filter(other -> !other.getKey().equals(at.rest()) && other.getValue().size() == 3)
        .anyMatch(other -> other.getValue().getFirst().equals(at.shape().getFirst()));
  }

  private static boolean isWeight(String rest) {
    return rest.equals("weight") || rest.endsWith(".weight") || rest.endsWith("_weight");
  }

  private Place place(InLayer at, NameWords words) {
    boolean transposed = layers.isTransposed(at.prefix() + at.rest(), false);
    return experts(at, words)
        .map(
            module ->
                new Place(
                    ofExpert(words),
                    Optional.empty(),
                    Optional.of(at.prefix() + module),
                    transposed))
        .orElseGet(() -> new Place(Role.MATRIX, Optional.empty(), Optional.empty(), transposed));
  }

  /**
   * What all experts of a layer have in common: the module around a stack, or before the number of
   * one.
   */
  private static Optional<String> experts(InLayer at, NameWords words) {
    if (at.shape().size() == 3) {
      String module =
          at.rest().endsWith(WEIGHT)
              ? at.rest().substring(0, at.rest().length() - WEIGHT.length())
              : at.rest();
      int stop = module.lastIndexOf('.');
      return Optional.of(stop < 0 ? module : module.substring(0, stop));
    }
    return LayerStack.locate(at.rest())
        .filter(inner -> words.hasAny(LayerWords.EXPERTS) && !inner.start().isEmpty())
        .map(inner -> inner.start().substring(0, inner.start().length() - 1));
  }

  private static Role ofExpert(NameWords words) {
    if (words.lastHasAny(DOWN)) {
      return Role.DOWN;
    }
    boolean up = words.lastHasAny(UP);
    boolean gate = words.lastHasAny(GATE);
    return (up && gate) || words.lastHasAny(BOTH) ? Role.GATE_UP : gate ? Role.GATE : Role.UP;
  }
}
