package io.cafeq.engine.model;

import java.util.ArrayList;
import java.util.List;

/**
 * BERT's encoder: every token sees all, and norms come after the sums. All tokens are of the first
 * type.
 */
record BertPass(Model model) implements ForwardPass {
  /** What the modules of a layer are called. */
  private record Names(
      String layer,
      String query,
      String key,
      String value,
      String output,
      String attentionNorm,
      String inner,
      String outer,
      String lastNorm) {
    static final Names BERT =
        new Names(
            "encoder.layer.",
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "attention.output.LayerNorm",
            "intermediate.dense",
            "output.dense",
            "output.LayerNorm");
    static final Names DISTILBERT =
        new Names(
            "transformer.layer.",
            "attention.q_lin",
            "attention.k_lin",
            "attention.v_lin",
            "attention.out_lin",
            "sa_layer_norm",
            "ffn.lin1",
            "ffn.lin2",
            "output_layer_norm");
  }

  /** What config.json calls them. */
  private record Sizes(int hidden, int heads, int layers, double epsilon, Activation activation) {
    static Sizes of(Settings settings, boolean distilled) {
      return distilled
          ? new Sizes(
              settings.integer("dim"),
              settings.integer("n_heads"),
              settings.integer("n_layers"),
              1e-12,
              Activation.named(settings.text("activation").orElse("gelu")))
          : new Sizes(
              settings.integer("hidden_size"),
              settings.integer("num_attention_heads"),
              settings.integer("num_hidden_layers"),
              settings.number("layer_norm_eps", 1e-12),
              Activation.named(settings.text("hidden_act").orElse("gelu")));
    }
  }

  @Override
  public Trace run(int... tokens) {
    boolean distilled = model.type().equals("distilbert");
    Names names = distilled ? Names.DISTILBERT : Names.BERT;
    Sizes sizes = Sizes.of(model.settings(), distilled);
    String prefix = model.weights().prefixOf("embeddings.word_embeddings.weight");
    double[][] states = embedded(prefix + "embeddings.", sizes, tokens);
    Attend attend =
        new Attend(
            sizes.heads(),
            sizes.heads(),
            1 / Math.sqrt((double) sizes.hidden() / sizes.heads()),
            Attend.Visibility.ALL);
    List<double[][]> attention = new ArrayList<>();
    List<double[][]> feedForward = new ArrayList<>();
    for (int layer = 0; layer < sizes.layers(); layer++) {
      String name = prefix + names.layer() + layer + ".";
      double[][] attended =
          attend.apply(
              model.linear(name + names.query(), states),
              model.linear(name + names.key(), states),
              model.linear(name + names.value(), states));
      double[][] first = model.linear(name + names.output(), attended);
      attention.add(first);
      states =
          Norms.layer(
              model, name + names.attentionNorm(), sizes.epsilon(), Model.sum(states, first));
      double[][] inner =
          Gpt2Pass.activated(sizes.activation(), model.linear(name + names.inner(), states));
      double[][] second = model.linear(name + names.outer(), inner);
      feedForward.add(second);
      states =
          Norms.layer(model, name + names.lastNorm(), sizes.epsilon(), Model.sum(states, second));
    }
    return new Trace(attention, feedForward, states);
  }

  private double[][] embedded(String prefix, Sizes sizes, int[] tokens) {
    // RoBERTa counts its positions from behind the padding token.
    int firstPosition =
        model.type().equals("roberta") ? model.settings().integer("pad_token_id", 1) + 1 : 0;
    double[][] states = model.embed(prefix + "word_embeddings.weight", tokens);
    for (int i = 0; i < tokens.length; i++) {
      Model.add(
          states[i],
          model.weights().get(prefix + "position_embeddings.weight").row(firstPosition + i));
      if (model.weights().has(prefix + "token_type_embeddings.weight")) {
        Model.add(states[i], model.weights().get(prefix + "token_type_embeddings.weight").row(0));
      }
    }
    return Norms.layer(model, prefix + "LayerNorm", sizes.epsilon(), states);
  }
}
