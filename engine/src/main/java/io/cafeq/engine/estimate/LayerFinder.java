package io.cafeq.engine.estimate;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.family.AttentionRows;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.family.RowBands;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Finds the inputs of all layers by their family's roles, from headers alone. */
final class LayerFinder {
  private static final Set<Role> OF_ATTENTION =
      EnumSet.of(
          Role.QUERY,
          Role.KEY,
          Role.VALUE,
          Role.QUERY_KEY_VALUE,
          Role.QUERY_COMPRESSION,
          Role.KEY_VALUE_COMPRESSION);
  private static final Set<Role> OF_FEED_FORWARD = EnumSet.of(Role.GATE, Role.UP, Role.GATE_UP);

  private final Checkpoint checkpoint;
  private final ModelFamily family;
  private final Map<String, AttentionRows> byFused;
  private final Map<String, AttentionRows> byOutput;

  private record Reader(Role role, MatrixRows rows) {}

  private record Group(MatrixInput input, String prefix, List<Reader> readers) {
    boolean hasAny(Set<Role> roles) {
      return readers.stream().anyMatch(reader -> roles.contains(reader.role()));
    }

    List<MatrixRows> all() {
      return readers.stream().map(Reader::rows).toList();
    }
  }

  private LayerFinder(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
    this.family = ModelDescription.of(checkpoint).family();
    List<AttentionRows> attention =
        family.attentionRows(
            checkpoint.tensors().stream()
                .collect(Collectors.toMap(TensorInfo::name, Function.identity())));
    this.byFused =
        attention.stream()
            .collect(Collectors.toMap(AttentionRows::query, Function.identity(), (a, b) -> a));
    this.byOutput =
        attention.stream()
            .collect(Collectors.toMap(AttentionRows::output, Function.identity(), (a, b) -> a));
  }

  /** By number; layers of which no input is known are missing. */
  static SortedMap<Integer, LayerInputs> find(Checkpoint checkpoint) {
    return new LayerFinder(checkpoint).layers();
  }

  private SortedMap<Integer, LayerInputs> layers() {
    MatrixInputs names = ModelDescription.of(checkpoint).inputs();
    SortedMap<Integer, SortedMap<String, Group>> groups = new TreeMap<>();
    for (TensorInfo info : checkpoint.tensors()) {
      ModelFamily.Place place = family.place(info.name());
      if (names.layer(info.name()).isPresent()
          && checkpoint.weights().read(info, place.transposed())
              instanceof WeightTensors.Reading.Weights(WeightTensor weight)) {
        int layer = names.layer(info.name()).getAsInt();
        for (int expert = 0; expert < weight.experts(); expert++) {
          Reader reader = new Reader(place.role(), MatrixRows.all(weight, expert));
          names
              .of(weight, expert)
              .ifPresent(
                  input ->
                      groups
                          .computeIfAbsent(layer, number -> new TreeMap<>())
                          .computeIfAbsent(
                              input.name(),
                              name -> new Group(input, prefix(info, layer), new ArrayList<>()))
                          .readers()
                          .add(reader));
        }
      }
    }
    SortedMap<Integer, LayerInputs> layers = new TreeMap<>();
    groups.forEach((number, ofLayer) -> layers.put(number, layer(number, ofLayer)));
    return layers;
  }

  /** The name up to and with the layer's number. */
  private static String prefix(TensorInfo info, int layer) {
    String number = "." + layer + ".";
    return info.name().substring(0, info.name().indexOf(number) + number.length());
  }

  private LayerInputs layer(int number, SortedMap<String, Group> groups) {
    List<LayerInput> inputs = new ArrayList<>();
    for (Group group : groups.values()) {
      if (group.hasAny(OF_ATTENTION)) {
        inputs.add(attention(group));
      } else if (group.hasAny(OF_FEED_FORWARD)) {
        inputs.add(feedForward(group));
      }
    }
    List<LayerInput> first = List.copyOf(inputs);
    for (Group group : groups.values()) {
      if (!group.hasAny(OF_ATTENTION) && !group.hasAny(OF_FEED_FORWARD)) {
        inputs.add(behind(group, first));
      }
    }
    String prefix = groups.values().iterator().next().prefix();
    return new LayerInputs(number, family.streamNorms(prefix), inputs);
  }

  private LayerInput.Attention attention(Group group) {
    List<MatrixRows> queries = new ArrayList<>();
    List<MatrixRows> values = new ArrayList<>();
    for (Reader reader : group.readers()) {
      switch (reader.role()) {
        case QUERY, QUERY_COMPRESSION -> queries.add(reader.rows());
        case VALUE, KEY_VALUE_COMPRESSION -> values.add(reader.rows());
        case QUERY_KEY_VALUE -> {
          AttentionRows rows = byFused.get(reader.rows().weight().name());
          if (rows != null) {
            queries.add(reader.rows().only(rows.queries()));
            values.add(reader.rows().only(rows.values()));
          }
        }
        default -> {
          // keys are no feature
        }
      }
    }
    return new LayerInput.Attention(group.input(), group.all(), queries, values);
  }

  private LayerInput.FeedForward feedForward(Group group) {
    List<MatrixRows> gates = new ArrayList<>();
    List<MatrixRows> ups = new ArrayList<>();
    for (Reader reader : group.readers()) {
      switch (reader.role()) {
        case GATE -> gates.add(reader.rows());
        case UP -> ups.add(reader.rows());
        case GATE_UP -> {
          int half = reader.rows().count() / 2;
          if (family.alternatesGateAndUp() && half > 0) {
            gates.add(reader.rows().only(new RowBands(0, 1, 2, half)));
            ups.add(reader.rows().only(new RowBands(1, 1, 2, half)));
          } else if (half > 0) {
            gates.add(reader.rows().only(RowBands.of(0, half)));
            ups.add(reader.rows().only(RowBands.of(half, half)));
          }
        }
        default -> {
          // nothing else reads it
        }
      }
    }
    return new LayerInput.FeedForward(group.input(), group.all(), gates, ups);
  }

  private LayerInput behind(Group group, List<LayerInput> first) {
    Reader only = group.readers().getFirst();
    if (group.readers().size() > 1) {
      return new LayerInput.Other(group.input(), group.all());
    }
    return switch (only.role()) {
      case DOWN -> new LayerInput.Down(group.input(), only.rows(), from(group, first));
      case ATTENTION_OUTPUT ->
          new LayerInput.Output(
              group.input(), only.rows(), heads(only.rows().weight().name(), first));
      default -> new LayerInput.Other(group.input(), group.all());
    };
  }

  /** The part whose name the down matrix's begins with, the longest where there are several. */
  private static Optional<LayerInput.FeedForward> from(Group down, List<LayerInput> first) {
    return first.stream()
        .filter(LayerInput.FeedForward.class::isInstance)
        .map(LayerInput.FeedForward.class::cast)
        .filter(part -> down.input().name().startsWith(part.input().name() + "."))
        .max(Comparator.comparingInt(part -> part.input().name().length()))
        .filter(part -> rows(part.gates()) == down.input().channels())
        .filter(part -> rows(part.ups()) == down.input().channels());
  }

  private static int rows(List<MatrixRows> matrices) {
    return matrices.size() == 1 ? matrices.getFirst().count() : 0;
  }

  private Optional<LayerInput.Heads> heads(String output, List<LayerInput> first) {
    AttentionRows places = byOutput.get(output);
    if (places == null) {
      return Optional.empty();
    }
    for (LayerInput input : first) {
      for (MatrixRows rows : input.readers()) {
        if (input instanceof LayerInput.Attention && rows.weight().name().equals(places.value())) {
          return Optional.of(
              new LayerInput.Heads(places, rows.only(places.values()), input.input().name()));
        }
      }
    }
    return Optional.empty();
  }
}
