package io.cafeq.engine.estimate;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Features of what reads the residual stream, from the vectors of the first pass. What a layer does
 * not have counts as alike in all channels. Immutable.
 */
final class StreamFeatures {
  private final ModelVectors vectors;
  private final int hidden;
  private final double[] upByGate;
  private final double[] values;

  /** What was written before each layer. */
  private final SortedMap<Integer, double[]> written = new TreeMap<>();

  StreamFeatures(ModelVectors vectors, int hidden) {
    this.vectors = vectors;
    this.hidden = hidden;
    List<double[]> ratios = new ArrayList<>();
    List<double[]> ofValues = new ArrayList<>();
    double[] sum = new double[hidden];
    for (Map.Entry<Integer, LayerVectors> layer : vectors.layers().entrySet()) {
      upByGate(layer.getValue()).ifPresent(ratios::add);
      values(layer.getValue()).ifPresent(ofValues::add);
      written.put(layer.getKey(), sum.clone());
      layer
          .getValue()
          .get(StreamVector.WRITTEN)
          .ifPresent(
              added -> {
                for (int i = 0; i < hidden; i++) {
                  sum[i] += added[i];
                }
              });
    }
    this.upByGate = Logs.clip(mean(ratios));
    this.values = Logs.clip(mean(ofValues));
  }

  /** Of {@link InputKind#ATTENTION}. */
  double[][] attention(int layer) {
    return new double[][] {
      upByGate,
      logs(layer, StreamVector.VALUES),
      logs(layer, StreamVector.QUERIES),
      logs(layer, StreamVector.ATTENTION_GAIN),
      Logs.feature(written.getOrDefault(layer, new double[hidden]))
    };
  }

  /** Log diag H of what the first layer's attention reads: g^2 times the embedding's mean. */
  Optional<double[]> ofEmbedding(int layer) {
    return vectors
        .embedding()
        .map(Logs::doubles)
        .map(
            mean ->
                Logs.centred(
                    of(layer)
                        .get(StreamVector.ATTENTION_GAIN)
                        .map(gain -> Logs.product(gain, mean))
                        .orElse(mean)));
  }

  /** Of {@link InputKind#FEED_FORWARD}. */
  double[][] feedForward(int layer) {
    return new double[][] {
      upByGate,
      upByGate(of(layer)).map(Logs::clip).orElseGet(() -> new double[hidden]),
      logs(layer, StreamVector.FEED_FORWARD_GAIN),
      values
    };
  }

  private LayerVectors of(int layer) {
    return vectors.layers().getOrDefault(layer, new LayerVectors(Map.of()));
  }

  private double[] logs(int layer, StreamVector vector) {
    return of(layer).get(vector).map(Logs::feature).orElseGet(() -> new double[hidden]);
  }

  private static Optional<double[]> upByGate(LayerVectors layer) {
    return layer
        .get(StreamVector.UPS)
        .flatMap(
            up ->
                layer
                    .get(StreamVector.GATES)
                    .map(gate -> Logs.difference(Logs.centred(up), Logs.centred(gate))));
  }

  private static Optional<double[]> values(LayerVectors layer) {
    return layer
        .get(StreamVector.VALUES)
        .map(
            values ->
                Logs.centred(
                    layer
                        .get(StreamVector.ATTENTION_GAIN)
                        .map(gain -> Logs.product(values, gain))
                        .orElse(values)));
  }

  private double[] mean(List<double[]> all) {
    double[] mean = new double[hidden];
    for (double[] each : all) {
      for (int i = 0; i < hidden; i++) {
        mean[i] += each[i] / all.size();
      }
    }
    return mean;
  }
}
