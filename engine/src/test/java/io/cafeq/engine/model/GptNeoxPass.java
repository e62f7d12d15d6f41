package io.cafeq.engine.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * GPT-NeoX: each head's q, k and v follow each other in one matrix, part of a head turns, both
 * parts read one state.
 */
record GptNeoxPass(Model model) implements ForwardPass {
  @Override
  public Trace run(int... tokens) {
    Settings settings = model.settings();
    String prefix = model.weights().prefixOf("embed_in.weight");
    double epsilon = settings.number("layer_norm_eps", 1e-5);
    Activation activation = Activation.named(settings.text("hidden_act").orElse("gelu"));
    boolean parallel = settings.flag("use_parallel_residual", true);
    double[][] states = model.embed(prefix + "embed_in.weight", tokens);
    List<double[][]> attention = new ArrayList<>();
    List<double[][]> feedForward = new ArrayList<>();
    for (int layer = 0; layer < settings.integer("num_hidden_layers"); layer++) {
      String name = prefix + "layers." + layer + ".";
      double[][] first =
          attention(
              name + "attention.", Norms.layer(model, name + "input_layernorm", epsilon, states));
      attention.add(first);
      double[][] read = parallel ? states : Model.sum(states, first);
      double[][] inner =
          model.linear(
              name + "mlp.dense_h_to_4h",
              Norms.layer(model, name + "post_attention_layernorm", epsilon, read));
      double[][] second =
          model.linear(name + "mlp.dense_4h_to_h", Gpt2Pass.activated(activation, inner));
      feedForward.add(second);
      states = Model.sum(Model.sum(states, first), second);
    }
    return new Trace(
        attention, feedForward, Norms.layer(model, prefix + "final_layer_norm", epsilon, states));
  }

  private double[][] attention(String name, double[][] states) {
    Settings settings = model.settings();
    int heads = settings.integer("num_attention_heads");
    int hidden = settings.integer("hidden_size");
    int size = hidden / heads;
    int turning = (int) (size * settings.number("rotary_pct", 0.25));
    Rope rope =
        Rope.plain(
            turning,
            settings.number("rotary_emb_base", settings.number("rope_theta", 10000)),
            false);
    double[][] stacked = model.linear(name + "query_key_value", states);
    double[][] q = new double[states.length][hidden];
    double[][] k = new double[states.length][hidden];
    double[][] v = new double[states.length][hidden];
    for (int token = 0; token < states.length; token++) {
      for (int head = 0; head < heads; head++) {
        double[] own = Arrays.copyOfRange(stacked[token], 3 * head * size, 3 * (head + 1) * size);
        System.arraycopy(
            rope.rotate(Arrays.copyOfRange(own, 0, size), token), 0, q[token], head * size, size);
        System.arraycopy(
            rope.rotate(Arrays.copyOfRange(own, size, 2 * size), token),
            0,
            k[token],
            head * size,
            size);
        System.arraycopy(own, 2 * size, v[token], head * size, size);
      }
    }
    Attend attend = new Attend(heads, heads, 1 / Math.sqrt(size), Attend.Visibility.CAUSAL);
    return model.linear(name + "dense", attend.apply(q, k, v));
  }
}
