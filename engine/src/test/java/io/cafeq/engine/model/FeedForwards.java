package io.cafeq.engine.model;

import java.util.Arrays;

/** Feed-forward parts for one token, without the choice between experts. */
final class FeedForwards {
  private FeedForwards() {}

  /**
   * down(activation(gate x) * up x), by three modules, or by two where {@code gate_up_proj} stacks
   * gate and up.
   */
  static double[] gated(Model model, String module, Activation activation, double[] x) {
    if (model.weights().has(module + ".gate_up_proj.weight")) {
      double[] both = model.linear(module + ".gate_up_proj", x);
      int half = both.length / 2;
      double[] gate = Arrays.copyOfRange(both, 0, half);
      return model.linear(
          module + ".down_proj",
          product(activation, gate, Arrays.copyOfRange(both, half, 2 * half)));
    }
    return gated(
        model, module + ".gate_proj", module + ".up_proj", module + ".down_proj", activation, x);
  }

  static double[] gated(
      Model model, String gate, String up, String down, Activation activation, double[] x) {
    return model.linear(down, product(activation, model.linear(gate, x), model.linear(up, x)));
  }

  static double[] product(Activation activation, double[] gate, double[] up) {
    double[] result = new double[gate.length];
    for (int i = 0; i < gate.length; i++) {
      result[i] = activation.of(gate[i]) * up[i];
    }
    return result;
  }
}
