package io.cafeq.engine.family;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.Coupling.Head;
import io.cafeq.engine.family.Coupling.Kind;
import io.cafeq.engine.family.Heads.Part;
import io.cafeq.engine.family.ModelFamily.Couplings;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * Finds the pairs of a model, layer by layer, and gathers why others have none. A pair is legal
 * only where config.json and the shapes of all tensors that take part say the same.
 */
final class PairFinder {
  private final TextConfig config;
  private final LayerNames names;
  private final LayerShapes shapes;
  private final AttentionKind attention;
  private final List<Coupling> legal = new ArrayList<>();
  private final PairRefusals refusals = new PairRefusals();

  private PairFinder(
      TextConfig config, LayerNames names, LayerShapes shapes, AttentionKind attention) {
    this.config = config;
    this.names = names;
    this.shapes = shapes;
    this.attention = attention;
  }

  /**
   * @param tensors the stored tensors by name
   */
  static Couplings find(
      TextConfig config,
      LayerNames names,
      LayerShapes shapes,
      AttentionKind attention,
      Map<String, TensorInfo> tensors) {
    PairFinder finder = new PairFinder(config, names, shapes, attention);
    finder.layers(tensors).forEach(finder::visit);
    return new Couplings(finder.legal, finder.refusals.sentences());
  }

  /**
   * Where the attention's rows are, of each layer in which config.json and the shapes agree on it.
   *
   * @param tensors the stored tensors by name
   */
  static List<AttentionRows> attentionRows(
      TextConfig config,
      LayerNames names,
      LayerShapes shapes,
      AttentionKind attention,
      Map<String, TensorInfo> tensors) {
    if (config.unclearHeads().isPresent()) {
      return List.of();
    }
    List<AttentionRows> found = new ArrayList<>();
    for (Layer layer : new PairFinder(config, names, shapes, attention).layers(tensors)) {
      attention
          .layout()
          .heads(layer)
          .filter(heads -> mismatch(layer, Kind.VALUE_OUTPUT, heads).isEmpty())
          .ifPresent(heads -> found.add(attentionRows(layer, heads)));
    }
    return found;
  }

  private static AttentionRows attentionRows(Layer layer, Heads heads) {
    return new AttentionRows(
        layer.fullName(heads.query().matrix()),
        RowBands.of(heads.query().first(), heads.query().size()),
        layer.fullName(heads.value().matrix()),
        RowBands.of(heads.value().first(), heads.value().size()),
        layer.fullName(heads.output()),
        heads.group());
  }

  private List<Layer> layers(Map<String, TensorInfo> tensors) {
    Map<String, Layer> layers = new TreeMap<>();
    tensors.forEach(
        (name, info) ->
            names
                .locate(name)
                .ifPresent(
                    place ->
                        layers
                            .computeIfAbsent(
                                place.prefix(),
                                prefix ->
                                    new Layer(
                                        config,
                                        names,
                                        shapes,
                                        place.start(),
                                        place.layer(),
                                        new TreeMap<>()))
                            .tensors()
                            .put(place.name(), info)));
    return layers.values().stream()
        .sorted(Comparator.comparingInt(Layer::number).thenComparing(Layer::start))
        .toList();
  }

  private void visit(Layer layer) {
    if (config.layers().isPresent() && layer.number() >= config.layers().getAsInt()) {
      refusals.add(
          Kind.VALUE_OUTPUT,
          layer.number(),
          "layers beyond those that config.json counts keep their bytes");
      return;
    }
    if (layer.tensors().keySet().stream()
        .noneMatch(name -> name.startsWith(attention.module() + "."))) {
      if (layer.has(Role.MIXER_INPUT)) {
        refusals.add(Kind.VALUE_OUTPUT, layer.number(), "the attention is linear");
      }
      return;
    }
    Optional<Heads> heads = attention.layout().heads(layer);
    record(layer, Kind.VALUE_OUTPUT, heads, attention.valueObstacle(layer));
    if (attention.mayPairQueriesAndKeys()) {
      record(layer, Kind.QUERY_KEY, heads, attention.queryKeyObstacle(layer));
    }
  }

  private void record(Layer layer, Kind kind, Optional<Heads> heads, Optional<String> obstacle) {
    Optional<String> reason =
        obstacle
            .or(
                () ->
                    config
                        .unclearHeads()
                        .map(key -> "config.json's " + key + " is no number of heads or channels"))
            .or(
                () ->
                    heads.isEmpty()
                        ? Optional.of("config.json and the shapes do not tell the heads")
                        : mismatch(layer, kind, heads.get()).or(() -> tooLarge(kind, heads.get())));
    if (reason.isPresent()) {
      refusals.add(kind, layer.number(), reason.get());
    } else {
      legal.add(coupling(layer, kind, heads.orElseThrow()));
    }
  }

  private static Optional<String> tooLarge(Kind kind, Heads heads) {
    int size =
        switch (kind) {
          case QUERY_KEY -> heads.key().size();
          case VALUE_OUTPUT -> heads.value().size();
        };
    return size > Coupling.LARGEST_HEAD
        ? Optional.of(
            "the heads have %d channels, more than %d".formatted(size, Coupling.LARGEST_HEAD))
        : Optional.empty();
  }

  private static Optional<String> mismatch(Layer layer, Kind kind, Heads heads) {
    Optional<String> parts = mismatch(layer, heads.query()).or(() -> mismatch(layer, heads.key()));
    return switch (kind) {
      case QUERY_KEY -> parts;
      case VALUE_OUTPUT ->
          parts
              .or(() -> mismatch(layer, heads.value()))
              .or(
                  () ->
                      mismatch(
                          layer,
                          heads.output(),
                          "input",
                          layer.columns(heads.output()),
                          heads.outputColumns()));
    };
  }

  private static Optional<String> mismatch(Layer layer, Part part) {
    return mismatch(layer, part.matrix(), "output", layer.rows(part.matrix()), part.rows())
        .or(
            () ->
                layer
                    .tensor(bias(part.matrix()))
                    .filter(bias -> !bias.shape().equals(List.of((long) part.rows())))
                    .map(
                        bias ->
                            "%s has the shape %s, and [%d] was expected"
                                .formatted(bias(part.matrix()), bias.shape(), part.rows())));
  }

  private static Optional<String> mismatch(
      Layer layer, String matrix, String side, OptionalInt found, int expected) {
    if (!layer.has(matrix)) {
      return Optional.of(matrix + " is missing");
    }
    if (found.isEmpty()) {
      return Optional.of(matrix + " is no matrix");
    }
    return found.getAsInt() == expected
        ? Optional.empty()
        : Optional.of(
            "%s has %d %s channels, and by config.json %d were expected"
                .formatted(matrix, found.getAsInt(), side, expected));
  }

  private static Coupling coupling(Layer layer, Kind kind, Heads heads) {
    return switch (kind) {
      case VALUE_OUTPUT ->
          new Coupling(
              kind,
              layer.fullName(heads.value().matrix()),
              fullBias(layer, heads.value()),
              layer.fullName(heads.output()),
              Optional.empty(),
              couplingHeads(heads.value(), heads, query -> query * heads.value().size()));
      case QUERY_KEY ->
          new Coupling(
              kind,
              layer.fullName(heads.key().matrix()),
              fullBias(layer, heads.key()),
              layer.fullName(heads.query().matrix()),
              fullBias(layer, heads.query()),
              couplingHeads(heads.key(), heads, heads.query().first()::get));
    };
  }

  private static List<Head> couplingHeads(Part left, Heads heads, IntUnaryOperator right) {
    return IntStream.range(0, left.first().size())
        .mapToObj(head -> new Head(left.size(), left.first().get(head), heads.ofGroup(head, right)))
        .toList();
  }

  private static Optional<String> fullBias(Layer layer, Part part) {
    return Optional.of(bias(part.matrix())).filter(layer::has).map(layer::fullName);
  }

  private static String bias(String matrix) {
    return matrix.replaceFirst("\\.weight$", ".bias");
  }
}
