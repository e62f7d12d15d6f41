package io.cafeq.engine.estimate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/** The estimate as its definition reads, entry by entry, for decoders with gated experts. */
final class ReferenceEstimate {
  private static final Coefficients COEFFICIENTS = Coefficients.builtIn();

  /** Matrices [out][in] of one feed-forward part, and the name of what its down matrix reads. */
  record Expert(double[][] gate, double[][] up, double[][] down, String downInput) {}

  /**
   * One layer.
   *
   * @param attention name of what queries, keys and values read
   * @param mlp name of what gates and ups read
   * @param norms gains before attention and feed-forward part, then those after, which may be empty
   */
  record Layer(
      String attention,
      String mlp,
      double[][] q,
      double[][] v,
      double[][] o,
      String oInput,
      double[][] norms,
      List<Expert> experts) {}

  private ReferenceEstimate() {}

  static SortedMap<String, double[]> of(
      double[][] embedding, List<Layer> layers, int heads, int keyHeads) {
    int n = embedding[0].length;
    SortedMap<String, double[]> diagonals = new TreeMap<>();
    double[] upByGate = new double[n];
    double[] values = new double[n];
    for (Layer layer : layers) {
      double[] own = upByGate(layer);
      for (int j = 0; j < n; j++) {
        upByGate[j] += own[j] / layers.size();
        values[j] +=
            Math.log(column(layer.v(), j) * Math.pow(layer.norms()[0][j], 2)) / layers.size();
      }
    }
    double[] written = new double[n];
    for (int l = 0; l < layers.size(); l++) {
      Layer layer = layers.get(l);
      double[] score =
          l == 0
              ? map(n, j -> Math.log(embedding(embedding, j) * Math.pow(layer.norms()[0][j], 2)))
              : score(
                  InputKind.ATTENTION,
                  upByGate,
                  map(n, j -> Math.log(column(layer.v(), j))),
                  map(n, j -> Math.log(column(layer.q(), j))),
                  map(n, j -> Math.log(Math.pow(layer.norms()[0][j], 2))),
                  map(n, j -> Math.log(written[j])));
      diagonals.put(layer.attention(), diagonal(score));
      diagonals.put(layer.oInput(), diagonal(output(layer, score, heads, keyHeads)));
      double[] read =
          score(
              InputKind.FEED_FORWARD,
              upByGate,
              upByGate(layer),
              map(n, j -> Math.log(Math.pow(layer.norms()[1][j], 2))),
              values);
      diagonals.put(layer.mlp(), diagonal(read));
      for (Expert expert : layer.experts()) {
        diagonals.put(expert.downInput(), diagonal(down(expert, read)));
      }
      double[] attention = map(n, j -> squares(layer.o()[j]));
      double[] mlp = new double[n];
      for (Expert expert : layer.experts()) {
        for (int j = 0; j < n; j++) {
          mlp[j] += squares(expert.down()[j]) / layer.experts().size();
        }
      }
      normed(attention, layer.norms()[2]);
      normed(mlp, layer.norms()[3]);
      for (int j = 0; j < n; j++) {
        written[j] += attention[j] + mlp[j];
      }
    }
    return diagonals;
  }

  private static void normed(double[] written, double[] gain) {
    double mean = Arrays.stream(written).average().orElseThrow();
    for (int j = 0; j < gain.length; j++) {
      written[j] *= gain[j] * gain[j] / mean;
    }
  }

  private static double[] upByGate(Layer layer) {
    int n = layer.v()[0].length;
    return map(
        n,
        j -> {
          double up = 0;
          double gate = 0;
          for (Expert expert : layer.experts()) {
            up += column(expert.up(), j);
            gate += column(expert.gate(), j);
          }
          return Math.log(up) - Math.log(gate);
        });
  }

  private static double embedding(double[][] table, int j) {
    double sum = 0;
    for (int token = 0; token < table.length; token++) {
      sum += 1.0 / (token + 20) * table[token][j] * table[token][j] / squares(table[token]);
    }
    return sum;
  }

  private static double[] output(Layer layer, double[] score, int heads, int keyHeads) {
    int size = layer.v().length / keyHeads;
    double[] columns = map(heads * size, i -> Math.log(column(layer.o(), i)));
    double[] byHead =
        map(
            heads * size,
            i ->
                IntStream.range(0, size).mapToDouble(c -> columns[i / size * size + c]).sum()
                    / size);
    double[] met =
        map(
            heads * size,
            i -> {
              int head = i / size / (heads / keyHeads);
              double mean =
                  IntStream.range(0, size)
                      .mapToDouble(c -> Math.log(weighted(layer.v()[head * size + c], score)))
                      .average()
                      .orElseThrow();
              return Math.log(weighted(layer.v()[head * size + i % size], score)) - mean;
            });
    return score(InputKind.OUTPUT, map(heads * size, i -> columns[i] - byHead[i]), byHead, met);
  }

  private static double[] down(Expert expert, double[] read) {
    int n = expert.gate().length;
    return score(
        InputKind.DOWN,
        map(n, i -> Math.log(column(expert.down(), i))),
        map(n, i -> Math.log(squares(expert.gate()[i]))),
        map(n, i -> Math.log(squares(expert.up()[i]))),
        map(n, i -> Math.log(weighted(expert.gate()[i], read) / squares(expert.gate()[i]))),
        map(n, i -> Math.log(weighted(expert.up()[i], read) / squares(expert.up()[i]))),
        map(
            n,
            i -> {
              double[] column = map(expert.down().length, j -> expert.down()[j][i]);
              return Math.log(kurtosis(column));
            }),
        map(n, i -> Math.log(kurtosis(expert.gate()[i]))),
        map(n, i -> Math.log(kurtosis(expert.up()[i]))));
  }

  private static double[] score(InputKind kind, double[]... features) {
    double[][] clipped = new double[features.length][];
    for (int k = 0; k < features.length; k++) {
      double mean = Arrays.stream(features[k]).average().orElseThrow();
      clipped[k] = apply(features[k], value -> Math.clamp(value - mean, -8, 8));
    }
    return COEFFICIENTS.score(kind, clipped);
  }

  private static double[] diagonal(double[] score) {
    double[] h = apply(score, Math::exp);
    double mean = Arrays.stream(h).average().orElseThrow();
    return apply(h, value -> Math.clamp(value / mean, 1e-3, 1e3));
  }

  private static double weighted(double[] row, double[] score) {
    return IntStream.range(0, row.length)
        .mapToDouble(j -> row[j] * row[j] * Math.exp(score[j]))
        .sum();
  }

  private static double kurtosis(double[] values) {
    double mean = squares(values) / values.length;
    double fourth = Arrays.stream(values).map(value -> Math.pow(value, 4)).average().orElseThrow();
    return fourth / (mean * mean);
  }

  private static double squares(double[] row) {
    return Arrays.stream(row).map(value -> value * value).sum();
  }

  private static double column(double[][] matrix, int j) {
    return Arrays.stream(matrix).mapToDouble(row -> row[j] * row[j]).sum();
  }

  private static double[] map(int n, IntToDoubleFunction entry) {
    return IntStream.range(0, n).mapToDouble(entry).toArray();
  }

  private static double[] apply(double[] values, DoubleUnaryOperator function) {
    return Arrays.stream(values).map(function).toArray();
  }

  /** Some rows of a matrix. */
  static double[][] rows(double[][] matrix, int first, int step, int count) {
    List<double[]> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      rows.add(matrix[first + i * step]);
    }
    return rows.toArray(double[][]::new);
  }
}
