package io.cafeq.engine.model;

/** The two normalisations of language models. */
final class Norms {
  private Norms() {}

  /** x / sqrt(mean x^2 + epsilon), without a weight. */
  static double[] rootMeanSquare(double[] x, double epsilon) {
    double squares = 0;
    for (double value : x) {
      squares += value * value;
    }
    return Model.scaled(x, 1 / Math.sqrt(squares / x.length + epsilon));
  }

  /** The same times w, or times 1 + w, where checkpoints store the difference from one. */
  static double[] rootMeanSquare(double[] x, double[] weight, boolean onePlus, double epsilon) {
    double[] result = rootMeanSquare(x, epsilon);
    for (int i = 0; i < x.length; i++) {
      result[i] *= onePlus ? 1 + weight[i] : weight[i];
    }
    return result;
  }

  /**
   * (x - mean) / sqrt(variance + epsilon) w + b, with the tensors {@code module.weight} and {@code
   * module.bias}, which old checkpoints call gamma and beta.
   */
  static double[][] layer(Model model, String module, double epsilon, double[][] states) {
    boolean old = model.weights().has(module + ".gamma");
    double[] weight = model.weights().vector(module + (old ? ".gamma" : ".weight"));
    double[] bias = model.weights().vector(module + (old ? ".beta" : ".bias"));
    double[][] result = new double[states.length][];
    for (int token = 0; token < states.length; token++) {
      double mean = 0;
      for (double value : states[token]) {
        mean += value / states[token].length;
      }
      double[] centred = new double[states[token].length];
      for (int i = 0; i < centred.length; i++) {
        centred[i] = states[token][i] - mean;
      }
      result[token] = rootMeanSquare(centred, weight, false, epsilon);
      Model.add(result[token], bias);
    }
    return result;
  }
}
