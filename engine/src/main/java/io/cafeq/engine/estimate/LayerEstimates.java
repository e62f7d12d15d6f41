package io.cafeq.engine.estimate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * The second pass: the estimate of each input of a layer, with the sums that need what the layer's
 * matrices are likely to meet. Borrows the scan. Not thread-safe.
 */
public final class LayerEstimates {
  private static final double SMALLEST = 1e-3;
  private static final double LARGEST = 1e3;

  private final WeightScan scan;
  private final ModelLayout layout;
  private final StreamFeatures stream;
  private final Coefficients coefficients;

  LayerEstimates(
      WeightScan scan, ModelLayout layout, ModelVectors vectors, Coefficients coefficients) {
    this.scan = scan;
    this.layout = layout;
    this.stream = new StreamFeatures(vectors, layout.hidden());
    this.coefficients = coefficients;
  }

  /**
   * Diagonals by input, [channels], their mean 1 before entries are limited to [0.001, 1000]. What
   * all experts of a layer read is under the name that they fall back on.
   *
   * @param wanted names of inputs
   */
  public SortedMap<String, float[]> of(int layer, Predicate<String> wanted) {
    LayerInputs inputs = layout.layers().get(layer);
    SortedMap<String, float[]> diagonals = new TreeMap<>();
    if (inputs == null) {
      return diagonals;
    }
    Map<String, double[]> scores = new HashMap<>();
    for (LayerInput input : inputs.inputs()) {
      String name = name(input);
      if (wanted.test(name) && !diagonals.containsKey(name)) {
        diagonals.put(name, diagonal(score(inputs, input, scores)));
      }
    }
    return diagonals;
  }

  /** Under which name an input's diagonal is kept. */
  private static String name(LayerInput input) {
    return input instanceof LayerInput.FeedForward part
        ? part.input().fallBack().orElse(part.input().name())
        : input.input().name();
  }

  private double[] score(LayerInputs layer, LayerInput input, Map<String, double[]> scores) {
    double[] known = scores.get(name(input));
    if (known == null) {
      known = compute(layer, input, scores);
      scores.put(name(input), known);
    }
    return known;
  }

  private double[] compute(LayerInputs layer, LayerInput input, Map<String, double[]> scores) {
    return features(layer, input, scores)
        .map(features -> coefficients.score(features.kind(), features.features()))
        .orElseGet(
            () ->
                layout.basisOf(layer, input) instanceof Basis.Embedding
                    ? stream.ofEmbedding(layer.number()).orElseThrow()
                    : floor(layer, input));
  }

  /**
   * The features of a layer's inputs of some kinds by name, of those that have them all; what all
   * experts of a layer read is under the name that they fall back on.
   */
  SortedMap<String, InputFeatures> features(
      int layer, Set<InputKind> kinds, Predicate<String> wanted) {
    LayerInputs inputs = layout.layers().get(layer);
    SortedMap<String, InputFeatures> found = new TreeMap<>();
    if (inputs != null) {
      Map<String, double[]> scores = new HashMap<>();
      for (LayerInput input : inputs.inputs()) {
        String name = name(input);
        if (kind(input).filter(kinds::contains).isPresent()
            && !found.containsKey(name)
            && wanted.test(name)) {
          features(inputs, input, scores).ifPresent(features -> found.put(name, features));
        }
      }
    }
    return found;
  }

  private static Optional<InputKind> kind(LayerInput input) {
    return switch (input) {
      case LayerInput.Attention attention -> Optional.of(InputKind.ATTENTION);
      case LayerInput.FeedForward part -> Optional.of(InputKind.FEED_FORWARD);
      case LayerInput.Down down -> Optional.of(InputKind.DOWN);
      case LayerInput.Output output -> Optional.of(InputKind.OUTPUT);
      case LayerInput.Other other -> Optional.empty();
    };
  }

  private Optional<InputFeatures> features(
      LayerInputs layer, LayerInput input, Map<String, double[]> scores) {
    if (!(layout.basisOf(layer, input) instanceof Basis.Features)) {
      return Optional.empty();
    }
    int number = layer.number();
    return switch (input) {
      case LayerInput.Attention attention ->
          Optional.of(new InputFeatures(InputKind.ATTENTION, stream.attention(number)));
      case LayerInput.FeedForward part ->
          Optional.of(new InputFeatures(InputKind.FEED_FORWARD, stream.feedForward(number)));
      case LayerInput.Down down ->
          Optional.of(new InputFeatures(InputKind.DOWN, down(layer, down, scores)));
      case LayerInput.Output output ->
          Optional.of(new InputFeatures(InputKind.OUTPUT, output(layer, output, scores)));
      case LayerInput.Other other -> Optional.empty();
    };
  }

  /** 1 / mean square of V, of up, or of the matrix itself, by column. */
  private double[] floor(LayerInputs layer, LayerInput input) {
    List<MatrixRows> matrices = new ArrayList<>();
    switch (input) {
      case LayerInput.Attention attention ->
          matrices.addAll(attention.values().isEmpty() ? attention.readers() : attention.values());
      case LayerInput.FeedForward part ->
          layer
              .all(LayerInput.FeedForward.class)
              .filter(other -> name(other).equals(name(part)))
              .forEach(
                  other -> matrices.addAll(other.ups().isEmpty() ? other.readers() : other.ups()));
      case LayerInput.Down down -> matrices.add(down.matrix());
      case LayerInput.Output output -> matrices.add(output.matrix());
      case LayerInput.Other other -> matrices.addAll(other.readers());
    }
    ColumnSums columns = new ColumnSums(input.input().channels(), false);
    matrices.forEach(rows -> scan.visit(rows, columns));
    double[] score = Logs.feature(columns.squares());
    for (int i = 0; i < score.length; i++) {
      score[i] = -score[i];
    }
    return score;
  }

  /** Of {@link InputKind#DOWN}. */
  private double[][] down(LayerInputs layer, LayerInput.Down down, Map<String, double[]> scores) {
    LayerInput.FeedForward from = down.from().orElseThrow();
    double[] likely = Logs.exponentials(score(layer, from, scores));
    RowSums gate = rows(from.gates().getFirst(), likely);
    RowSums up = rows(from.ups().getFirst(), likely);
    ColumnSums columns = new ColumnSums(down.matrix().columns(), true);
    scan.visit(down.matrix(), columns);
    return new double[][] {
      Logs.feature(columns.squares()),
      Logs.feature(gate.squares()),
      Logs.feature(up.squares()),
      Logs.feature(gate.concentration()),
      Logs.feature(up.concentration()),
      Logs.feature(columns.kurtosis()),
      Logs.feature(gate.kurtosis()),
      Logs.feature(up.kurtosis())
    };
  }

  private RowSums rows(MatrixRows rows, double[] likely) {
    RowSums sums = new RowSums(rows.count(), rows.columns(), likely);
    scan.visit(rows, sums);
    return sums;
  }

  /** Of {@link InputKind#OUTPUT}. */
  private double[][] output(
      LayerInputs layer, LayerInput.Output output, Map<String, double[]> scores) {
    LayerInput.Heads heads = output.heads().orElseThrow();
    LayerInput read =
        Objects.requireNonNull(ModelLayout.byName(layer).get(heads.read()), heads.read());
    RowSums values = rows(heads.values(), Logs.exponentials(score(layer, read, scores)));
    ColumnSums columns = new ColumnSums(output.matrix().columns(), false);
    scan.visit(output.matrix(), columns);
    int size = heads.places().values().size();
    double[] within = Logs.centred(columns.squares());
    double[] byHead = Logs.takeMeans(within, size);
    double[] ofValues = Logs.centred(values.weighted());
    Logs.takeMeans(ofValues, size);
    double[] met = new double[within.length];
    for (int i = 0; i < met.length; i++) {
      met[i] = ofValues[heads.places().valueOf(i)];
    }
    return new double[][] {
      Logs.clip(within), Logs.clip(Logs.centre(byHead)), Logs.clip(Logs.centre(met))
    };
  }

  private static float[] diagonal(double[] score) {
    double[] values = Logs.exponentials(score);
    double mean = 0;
    for (double value : values) {
      mean += value / values.length;
    }
    float[] diagonal = new float[values.length];
    for (int i = 0; i < diagonal.length; i++) {
      diagonal[i] = (float) Math.clamp(values[i] / mean, SMALLEST, LARGEST);
    }
    return diagonal;
  }
}
