package io.cafeq.engine.estimate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Fits {@link Coefficients} to measured moments: weighted least squares of log h on the features,
 * every channel with weight h / mean h, since an error counts h times, and every input with a
 * constant of its own, since only ratios are estimated. First for what reads the stream; then, with
 * what these say of the stream, for what reads the heads and the inner channels.
 */
public final class CoefficientFit {
  private static final Set<InputKind> OF_STREAM =
      EnumSet.of(InputKind.ATTENTION, InputKind.FEED_FORWARD);
  private static final Set<InputKind> BEHIND = EnumSet.complementOf(EnumSet.copyOf(OF_STREAM));

  private CoefficientFit() {}

  /**
   * How well coefficients describe what was measured.
   *
   * @param inputs compared
   * @param correlation of the estimated and the measured log h over channels, median over inputs
   * @param loss weighted mean square of what is left of log h
   */
  public record Figures(int inputs, double correlation, double loss) {}

  /**
   * Fits to all models together.
   *
   * @param origin in words, goes into the result
   * @throws EngineException with kind USAGE where a kind of input was measured in no model
   */
  public static Coefficients fit(List<MeasuredModel> models, String origin) {
    EnumMap<InputKind, double[]> fitted = new EnumMap<>(InputKind.class);
    for (InputKind kind : InputKind.values()) {
      fitted.put(kind, new double[kind.features().size()]);
    }
    for (Set<InputKind> kinds : List.of(OF_STREAM, BEHIND)) {
      Coefficients soFar = new Coefficients(origin, fitted);
      EnumMap<InputKind, NormalEquations> equations = new EnumMap<>(InputKind.class);
      kinds.forEach(kind -> equations.put(kind, new NormalEquations(kind.features().size())));
      for (MeasuredModel model : models) {
        visit(
            model,
            soFar,
            kinds,
            (features, logs, weights) ->
                Objects.requireNonNull(equations.get(features.kind()))
                    .add(features.features(), logs, weights));
      }
      equations.forEach(
          (kind, sums) -> {
            if (sums.isEmpty()) {
              throw new EngineException(
                  FailureKind.USAGE,
                  "no input of kind " + kind.text() + " was measured in any of the models",
                  "Name models with gated feed-forward parts, and results of all their layers.");
            }
            fitted.put(kind, sums.solve());
          });
    }
    return new Coefficients(origin, fitted);
  }

  /** Compares estimates with what was measured in one model, by kind of input. */
  public static SortedMap<InputKind, Figures> figures(
      MeasuredModel model, Coefficients coefficients) {
    EnumMap<InputKind, List<Double>> correlations = new EnumMap<>(InputKind.class);
    EnumMap<InputKind, NormalEquations> equations = new EnumMap<>(InputKind.class);
    visit(
        model,
        coefficients,
        EnumSet.allOf(InputKind.class),
        (features, logs, weights) -> {
          double[] score = coefficients.score(features.kind(), features.features());
          correlations
              .computeIfAbsent(features.kind(), kind -> new ArrayList<>())
              .add(correlation(score, logs));
          equations
              .computeIfAbsent(features.kind(), kind -> new NormalEquations(1))
              .add(new double[][] {score}, logs, weights);
        });
    SortedMap<InputKind, Figures> figures = new TreeMap<>();
    correlations.forEach(
        (kind, all) ->
            figures.put(
                kind,
                new Figures(
                    all.size(),
                    median(all),
                    Objects.requireNonNull(equations.get(kind)).loss(new double[] {1}))));
    return figures;
  }

  private interface Visitor {
    void input(InputFeatures features, double[] logs, double[] weights);
  }

  private static void visit(
      MeasuredModel model, Coefficients coefficients, Set<InputKind> kinds, Visitor visitor) {
    LayerEstimates layers = model.estimates().layers(model.vectors(), coefficients);
    for (int layer : model.vectors().layers().keySet()) {
      Map<String, Optional<double[]>> measured = new TreeMap<>();
      SortedMap<String, InputFeatures> features =
          layers.features(
              layer,
              kinds,
              input ->
                  measured
                      .computeIfAbsent(input, name -> model.diagonals().of(layer, name))
                      .isPresent());
      features.forEach(
          (input, found) -> {
            double[] diagonal = measured.getOrDefault(input, Optional.empty()).orElseThrow();
            visitor.input(found, Logs.feature(diagonal), weights(diagonal));
          });
    }
  }

  /** h / mean h. */
  private static double[] weights(double[] diagonal) {
    double mean = Arrays.stream(diagonal).average().orElse(1);
    return Arrays.stream(diagonal).map(h -> mean > 0 ? h / mean : 1).toArray();
  }

  private static double correlation(double[] left, double[] right) {
    double[] a = Logs.centre(left.clone());
    double[] b = Logs.centre(right.clone());
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / StrictMath.sqrt(aa * bb) : 0;
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
}
