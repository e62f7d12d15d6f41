package io.cafeq.engine.estimate;

import io.cafeq.engine.family.StreamNorms;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Gathers the vectors of one layer after the other. Experts count by how many of them a token is
 * sent to, all alike: which ones it is sent to is not known.
 */
final class FirstPass {
  private static final int FREQUENT = 20;

  private final WeightScan scan;
  private final ModelLayout layout;

  FirstPass(WeightScan scan, ModelLayout layout) {
    this.scan = scan;
    this.layout = layout;
  }

  /** Of one layer. */
  LayerVectors layer(LayerInputs layer) {
    Map<StreamVector, double[]> sums = new EnumMap<>(StreamVector.class);
    layer
        .all(LayerInput.Attention.class)
        .filter(input -> input.isWhole() && isOfStream(input))
        .forEach(
            input -> {
              columns(sums, StreamVector.QUERIES, input.queries(), 1);
              columns(sums, StreamVector.VALUES, input.values(), 1);
            });
    long experts =
        layer
            .all(LayerInput.FeedForward.class)
            .filter(input -> input.isGated() && input.isExpert())
            .count();
    layer
        .all(LayerInput.FeedForward.class)
        .filter(input -> input.isGated() && isOfStream(input))
        .forEach(
            input -> {
              double share = input.isExpert() ? layout.use(experts) : 1;
              columns(sums, StreamVector.GATES, input.gates(), share);
              columns(sums, StreamVector.UPS, input.ups(), share);
            });
    StreamNorms norms = layer.norms();
    gain(sums, StreamVector.ATTENTION_GAIN, norms.beforeAttention(), norms);
    gain(sums, StreamVector.FEED_FORWARD_GAIN, norms.beforeFeedForward(), norms);
    written(sums, layer);
    Map<StreamVector, float[]> vectors = new EnumMap<>(StreamVector.class);
    sums.forEach((vector, values) -> vectors.put(vector, Logs.floats(values)));
    return new LayerVectors(vectors);
  }

  private boolean isOfStream(LayerInput input) {
    return input.input().channels() == layout.hidden();
  }

  private void columns(
      Map<StreamVector, double[]> sums, StreamVector vector, List<MatrixRows> matrices, double share) {
    double[] sum = sums.computeIfAbsent(vector, first -> new double[layout.hidden()]);
    for (MatrixRows rows : matrices) {
      ColumnSums columns = new ColumnSums(rows.columns(), false);
      scan.visit(rows, columns);
      for (int i = 0; i < sum.length; i++) {
        sum[i] += share * columns.squares()[i];
      }
    }
  }

  private void gain(
      Map<StreamVector, double[]> sums,
      StreamVector vector,
      Optional<String> name,
      StreamNorms norms) {
    name.flatMap(tensor -> squaredGain(tensor, norms)).ifPresent(gain -> sums.put(vector, gain));
  }

  private Optional<double[]> squaredGain(String tensor, StreamNorms norms) {
    float[] weights = scan.vector(tensor);
    if (weights.length != layout.hidden()) {
      return Optional.empty();
    }
    double[] gain = new double[weights.length];
    for (int i = 0; i < gain.length; i++) {
      double weight = norms.storedMinusOne() ? 1.0 + weights[i] : weights[i];
      gain[i] = weight * weight;
    }
    return Optional.of(gain);
  }

  private void written(Map<StreamVector, double[]> sums, LayerInputs layer) {
    double[] byAttention = new double[layout.hidden()];
    double[] byFeedForward = new double[layout.hidden()];
    layer.all(LayerInput.Output.class).forEach(output -> addRows(output.matrix(), 1, byAttention));
    long experts = layer.all(LayerInput.Down.class).filter(FirstPass::isExpert).count();
    layer
        .all(LayerInput.Down.class)
        .forEach(down -> addRows(down.matrix(), isExpert(down) ? 1.0 / experts : 1, byFeedForward));
    normed(byAttention, layer.norms().afterAttention(), layer.norms());
    normed(byFeedForward, layer.norms().afterFeedForward(), layer.norms());
    for (int i = 0; i < byAttention.length; i++) {
      byAttention[i] += byFeedForward[i];
    }
    sums.put(StreamVector.WRITTEN, byAttention);
  }

  private static boolean isExpert(LayerInput.Down down) {
    return down.input().fallBack().isPresent();
  }

  private void addRows(MatrixRows matrix, double share, double[] to) {
    if (matrix.count() != to.length) {
      return;
    }
    RowSums rows = new RowSums(matrix.count(), matrix.columns(), new double[0]);
    scan.visit(matrix, rows);
    for (int i = 0; i < to.length; i++) {
      to[i] += share * rows.squares()[i];
    }
  }

  /** What a norm after the part makes of it: mean 1, times the squared gain. */
  private void normed(double[] written, Optional<String> norm, StreamNorms norms) {
    double mean = Arrays.stream(written).average().orElse(0);
    if (mean > 0) {
      norm.flatMap(name -> squaredGain(name, norms))
          .ifPresent(
              gain -> {
                for (int i = 0; i < written.length; i++) {
                  written[i] *= gain[i] / mean;
                }
              });
    }
  }

  /** Mean over tokens of e^2 / mean(e^2), token v as frequent as 1 / (v + 20). */
  float[] embedding(MatrixRows table) {
    double[] mean = new double[table.columns()];
    double[] total = new double[1];
    double[] square = new double[1];
    RowSums one = new RowSums(1, table.columns(), new double[0]);
    scan.visit(
        table,
        (token, entries) -> {
          one.row(0, entries);
          square[0] = one.squares()[0] / entries.length;
          if (square[0] > 0) {
            double share = 1.0 / (token + FREQUENT);
            total[0] += share;
            ColumnSums.addSquares(entries, share / square[0], mean);
          }
        });
    for (int i = 0; i < mean.length; i++) {
      mean[i] /= total[0] > 0 ? total[0] : 1;
    }
    return Logs.floats(mean);
  }
}
