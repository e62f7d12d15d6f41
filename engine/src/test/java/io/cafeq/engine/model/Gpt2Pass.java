package io.cafeq.engine.model;

import java.util.ArrayList;
import java.util.List;

/** GPT-2: learned positions, weights stored as [in, out], q, k and v in one matrix. */
record Gpt2Pass(Model model) implements ForwardPass {
  @Override
  public Trace run(int... tokens) {
    Settings settings = model.settings();
    String prefix = model.weights().prefixOf("wte.weight");
    double epsilon = settings.number("layer_norm_epsilon", 1e-5);
    int hidden = settings.integer("n_embd");
    int heads = settings.integer("n_head");
    Activation activation =
        Activation.named(settings.text("activation_function").orElse("gelu_new"));
    double[][] states = model.embed(prefix + "wte.weight", tokens);
    for (int position = 0; position < tokens.length; position++) {
      Model.add(states[position], model.weights().get(prefix + "wpe.weight").row(position));
    }
    Attend attend =
        new Attend(heads, heads, 1 / Math.sqrt((double) hidden / heads), Attend.Visibility.CAUSAL);
    List<double[][]> attention = new ArrayList<>();
    List<double[][]> feedForward = new ArrayList<>();
    for (int layer = 0; layer < settings.integer("n_layer"); layer++) {
      String name = prefix + "h." + layer + ".";
      double[][] stacked =
          model.conv1d(name + "attn.c_attn", Norms.layer(model, name + "ln_1", epsilon, states));
      double[][] attended =
          attend.apply(
              GroupedAttention.columns(stacked, 0, hidden),
              GroupedAttention.columns(stacked, hidden, 2 * hidden),
              GroupedAttention.columns(stacked, 2 * hidden, 3 * hidden));
      double[][] first = model.conv1d(name + "attn.c_proj", attended);
      attention.add(first);
      states = Model.sum(states, first);
      double[][] inner =
          model.conv1d(name + "mlp.c_fc", Norms.layer(model, name + "ln_2", epsilon, states));
      double[][] second = model.conv1d(name + "mlp.c_proj", activated(activation, inner));
      feedForward.add(second);
      states = Model.sum(states, second);
    }
    return new Trace(attention, feedForward, Norms.layer(model, prefix + "ln_f", epsilon, states));
  }

  static double[][] activated(Activation activation, double[][] states) {
    double[][] result = new double[states.length][states[0].length];
    for (int token = 0; token < states.length; token++) {
      for (int i = 0; i < states[token].length; i++) {
        result[token][i] = activation.of(states[token][i]);
      }
    }
    return result;
  }
}
