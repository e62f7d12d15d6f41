package io.cafeq.engine.estimate;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the estimate can see of a model, from headers alone: the inputs of its layers, and what each
 * one's estimate rests on. Made once for each checkpoint. Immutable.
 */
public final class ModelLayout {
  private final SortedMap<Integer, LayerInputs> layers;
  private final Optional<MatrixRows> embedding;
  private final int hidden;
  private final int chosenExperts;
  private final boolean gated;
  private final SortedSet<String> tensors;
  private final Map<String, Basis> bases;

  private ModelLayout(
      SortedMap<Integer, LayerInputs> layers, Optional<MatrixRows> table, int chosenExperts) {
    this.layers = layers;
    this.hidden = streamWidth(layers.values().stream().toList());
    this.embedding = table.filter(rows -> rows.columns() == hidden);
    this.chosenExperts = chosenExperts;
    this.gated =
        all(LayerInput.FeedForward.class).anyMatch(input -> input.isGated() && isOfStream(input));
    this.tensors = tensorNames();
    this.bases =
        layers.values().stream()
            .flatMap(
                layer ->
                    layer.inputs().stream()
                        .map(input -> Map.entry(input.input().name(), basisOf(layer, input))))
            .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
  }

  /** The one of a checkpoint. */
  public static ModelLayout of(Checkpoint checkpoint) {
    SortedMap<Integer, LayerInputs> layers = LayerFinder.find(checkpoint);
    return new ModelLayout(
        layers, embedding(checkpoint), checkpoint.config().text().chosenExperts().orElse(1));
  }

  /** A tied embedding may be stored under the name of the head alone. */
  private static Optional<MatrixRows> embedding(Checkpoint checkpoint) {
    ModelFamily family = ModelDescription.of(checkpoint).family();
    return Stream.concat(
            checkpoint.tensors().stream().map(TensorInfo::name),
            checkpoint.aliases().keySet().stream())
        .filter(name -> family.place(name).role() == Role.EMBEDDING)
        .map(name -> checkpoint.aliases().getOrDefault(name, name))
        .flatMap(name -> checkpoint.tensor(name).stream())
        .flatMap(
            info ->
                checkpoint.weights().read(info, false)
                        instanceof WeightTensors.Reading.Weights(WeightTensor weight)
                    ? Stream.of(MatrixRows.all(weight, 0))
                    : Stream.empty())
        .max(Comparator.comparingInt(MatrixRows::count));
  }

  /** The width that most inputs of attention and feed-forward parts have. */
  private static int streamWidth(List<LayerInputs> layers) {
    SortedMap<Integer, Long> widths =
        layers.stream()
            .flatMap(layer -> layer.inputs().stream())
            .filter(
                input ->
                    input instanceof LayerInput.Attention
                        || input instanceof LayerInput.FeedForward)
            .collect(
                Collectors.groupingBy(
                    input -> input.input().channels(), TreeMap::new, Collectors.counting()));
    return widths.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse(0);
  }

  /** Whether no input is known at all. */
  public boolean isEmpty() {
    return layers.isEmpty();
  }

  /** What an input's estimate rests on; empty for inputs that are not known. */
  public Optional<Basis> basis(String input) {
    return Optional.ofNullable(bases.get(input));
  }

  /** Whether vectors are as long as those of this model. */
  public boolean fits(ModelVectors vectors) {
    return vectors.embedding().map(entries -> entries.length == hidden).orElse(true)
        && vectors.layers().keySet().equals(layers.keySet())
        && vectors.layers().values().stream()
            .flatMap(layer -> layer.vectors().values().stream())
            .allMatch(entries -> entries.length == hidden);
  }

  /** Stored tensors that the estimate reads, scales of quantized weights included. */
  public SortedSet<String> tensors() {
    return tensors;
  }

  SortedMap<Integer, LayerInputs> layers() {
    return layers;
  }

  Optional<MatrixRows> embedding() {
    return embedding;
  }

  /** Channels of the residual stream. */
  int hidden() {
    return hidden;
  }

  /** Columns of the widest matrix. */
  int widest() {
    return Stream.concat(
            all(LayerInput.class).flatMap(input -> input.readers().stream()), embedding.stream())
        .mapToInt(MatrixRows::columns)
        .max()
        .orElse(1);
  }

  /** Which part of a layer's tokens an expert sees where all are used alike. */
  double use(long experts) {
    return Math.min(1, (double) chosenExperts / experts);
  }

  boolean isOfStream(LayerInput input) {
    return input.input().channels() == hidden;
  }

  private <T extends LayerInput> Stream<T> all(Class<T> type) {
    return layers.values().stream().flatMap(layer -> layer.all(type));
  }

  private SortedSet<String> tensorNames() {
    SortedSet<String> names = new TreeSet<>();
    Stream.concat(
            all(LayerInput.class).flatMap(input -> input.readers().stream()), embedding.stream())
        .flatMap(rows -> rows.weight().sources().stream())
        .forEach(info -> names.add(info.name()));
    layers.values().stream()
        .map(LayerInputs::norms)
        .flatMap(
            norms ->
                Stream.of(
                    norms.beforeAttention(),
                    norms.afterAttention(),
                    norms.beforeFeedForward(),
                    norms.afterFeedForward()))
        .forEach(name -> name.ifPresent(names::add));
    return Collections.unmodifiableSortedSet(names);
  }

  Basis basisOf(LayerInputs layer, LayerInput input) {
    return switch (input) {
      case LayerInput.Attention attention -> {
        if (!isOfStream(input)) {
          yield new Basis.Floor("another width than the stream's");
        }
        if (!attention.isWhole()) {
          yield new Basis.Floor("queries or values that are not told apart");
        }
        if (!gated) {
          yield new Basis.Floor("no gated feed-forward part");
        }
        yield layer.number() == 0 && embedding.isPresent()
            ? new Basis.Embedding()
            : new Basis.Features();
      }
      case LayerInput.FeedForward part -> {
        if (!isOfStream(input)) {
          yield new Basis.Floor("another width than the stream's");
        }
        yield part.isGated() ? new Basis.Features() : new Basis.Floor("no gated feed-forward part");
      }
      case LayerInput.Down down ->
          down.from()
              .map(part -> basisOf(layer, part))
              .filter(Basis.Features.class::isInstance)
              .orElseGet(() -> new Basis.Floor("no gated feed-forward part"));
      case LayerInput.Output output ->
          output
              .heads()
              .flatMap(heads -> find(layer, heads.read()))
              .map(read -> basisOf(layer, read))
              .<Basis>map(
                  read ->
                      read instanceof Basis.Floor
                          ? new Basis.Floor("a floor before it")
                          : new Basis.Features())
              .orElseGet(() -> new Basis.Floor("heads whose values are not known"));
      case LayerInput.Other other -> new Basis.Floor("a kind of matrix without features");
    };
  }

  private static Optional<LayerInput> find(LayerInputs layer, String name) {
    return layer.inputs().stream().filter(input -> input.input().name().equals(name)).findFirst();
  }

  /** All inputs of a layer by name. */
  static SortedMap<String, LayerInput> byName(LayerInputs layer) {
    return layer.inputs().stream()
        .collect(
            Collectors.toMap(
                input -> input.input().name(), Function.identity(), (a, b) -> a, TreeMap::new));
  }
}
