package io.cafeq.engine.model;

import java.util.ArrayList;
import java.util.List;

/** BERT's encoder: every token sees all, and norms come after the sums. All tokens are of the first type. */
record BertPass(Model model) implements ForwardPass {
  @Override
  public Trace run(int... tokens) {
    Settings settings = model.settings();
    String prefix = model.weights().prefixOf("embeddings.word_embeddings.weight");
    double epsilon = settings.number("layer_norm_eps", 1e-12);
    int heads = settings.integer("num_attention_heads");
    Activation activation = Activation.named(settings.text("hidden_act").orElse("gelu"));
    // RoBERTa counts its positions from behind the padding token.
    int firstPosition = model.type().equals("roberta") ? settings.integer("pad_token_id", 1) + 1 : 0;
    double[][] states = model.embed(prefix + "embeddings.word_embeddings.weight", tokens);
    for (int i = 0; i < tokens.length; i++) {
      Model.add(states[i], model.weights().get(prefix + "embeddings.position_embeddings.weight").row(firstPosition + i));
      Model.add(states[i], model.weights().get(prefix + "embeddings.token_type_embeddings.weight").row(0));
    }
    states = Norms.layer(model, prefix + "embeddings.LayerNorm", epsilon, states);
    Attend attend = new Attend(
        heads, heads, 1 / Math.sqrt((double) settings.integer("hidden_size") / heads), Attend.Visibility.ALL);
    List<double[][]> attention = new ArrayList<>();
    List<double[][]> feedForward = new ArrayList<>();
    for (int layer = 0; layer < settings.integer("num_hidden_layers"); layer++) {
      String name = prefix + "encoder.layer." + layer + ".";
      double[][] attended = attend.apply(
          model.linear(name + "attention.self.query", states),
          model.linear(name + "attention.self.key", states),
          model.linear(name + "attention.self.value", states));
      double[][] first = model.linear(name + "attention.output.dense", attended);
      attention.add(first);
      states = Norms.layer(model, name + "attention.output.LayerNorm", epsilon, Model.sum(states, first));
      double[][] inner = Gpt2Pass.activated(activation, model.linear(name + "intermediate.dense", states));
      double[][] second = model.linear(name + "output.dense", inner);
      feedForward.add(second);
      states = Norms.layer(model, name + "output.LayerNorm", epsilon, Model.sum(states, second));
    }
    return new Trace(attention, feedForward, states);
  }
}
