package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/** Mixtures of experts for one token; {@code module} is the layer's, as the checkpoint names it. */
final class SparseFeedForwards {
  private static final double SIGMOID_SLOPE = 1.702;

  private SparseFeedForwards() {}

  static double[] mixtral(Model model, String module, Activation activation, double[] x) {
    double[] scores = Routing.scores(model, module + ".gate", x);
    return mixed(
        Routing.softmaxThenLargest(scores, model.settings().integer("num_experts_per_tok"), true),
        x,
        (expert, input) -> {
          String name = module + ".experts." + expert;
          return FeedForwards.gated(
              model, name + ".w1", name + ".w3", name + ".w2", activation, input);
        });
  }

  static double[] qwen(Model model, String module, Activation activation, double[] x) {
    double[] scores = Routing.scores(model, module + ".gate", x);
    Settings settings = model.settings();
    double[] sum =
        mixed(
            Routing.softmaxThenLargest(
                scores,
                settings.integer("num_experts_per_tok"),
                settings.flag("norm_topk_prob", false)),
            x,
            (expert, input) ->
                FeedForwards.gated(model, module + ".experts." + expert, activation, input));
    if (model.weights().has(module + ".shared_expert_gate.weight")) {
      double open =
          Activation.logistic(Routing.scores(model, module + ".shared_expert_gate", x)[0]);
      Model.add(
          sum,
          Model.scaled(FeedForwards.gated(model, module + ".shared_expert", activation, x), open));
    }
    return sum;
  }

  static double[] deepseek(Model model, String module, Activation activation, double[] x) {
    double[] scores = Routing.scores(model, module + ".gate", x);
    boolean logistic = model.settings().text("scoring_func").orElse("sigmoid").equals("sigmoid");
    double[] correction =
        model
            .weights()
            .find(module + ".gate.e_score_correction_bias")
            .map(DoubleTensor::values)
            .orElseGet(() -> new double[scores.length]);
    List<Routing.Choice> choices =
        logistic
            ? Routing.grouped(model.settings(), scores, correction)
            : Routing.greedy(model.settings(), scores);
    double[] sum =
        mixed(
            choices,
            x,
            (expert, input) ->
                FeedForwards.gated(model, module + ".experts." + expert, activation, input));
    Model.add(sum, FeedForwards.gated(model, module + ".shared_experts", activation, x));
    return sum;
  }

  /**
   * The router's weight multiplies an expert's input, not its output. Gate and up follow each other
   * in the columns.
   */
  static double[] llama4(Model model, String module, Activation activation, double[] x) {
    double[] sum = FeedForwards.gated(model, module + ".shared_expert", activation, x);
    double[] scores = Routing.scores(model, module + ".router", x);
    for (Routing.Choice choice :
        Routing.largestThenLogistic(scores, model.settings().integer("num_experts_per_tok", 1))) {
      double[] both =
          stacked(
              model,
              module + ".experts.gate_up_proj",
              choice.expert(),
              Model.scaled(x, choice.weight()));
      double[] inner = new double[both.length / 2];
      for (int i = 0; i < inner.length; i++) {
        inner[i] = activation.of(both[i]) * both[inner.length + i];
      }
      Model.add(sum, stacked(model, module + ".experts.down_proj", choice.expert(), inner));
    }
    return sum;
  }

  /** Gate and up alternate in the columns, are clamped, and the product takes up + 1. */
  static double[] gptOss(Model model, String module, double[] x) {
    double limit = model.settings().number("swiglu_limit", 7);
    double[] scores = Routing.scores(model, module + ".router", x);
    int count = model.settings().integer("num_experts_per_tok");
    return mixed(
        Routing.largestThenSoftmax(scores, count),
        x,
        (expert, input) -> {
          double[] both = stacked(model, module + ".experts.gate_up_proj", expert, input);
          double[] inner = new double[both.length / 2];
          for (int i = 0; i < inner.length; i++) {
            double gate = Math.min(both[2 * i], limit);
            double up = Math.clamp(both[2 * i + 1], -limit, limit);
            inner[i] = (up + 1) * gate * Activation.logistic(SIGMOID_SLOPE * gate);
          }
          return stacked(model, module + ".experts.down_proj", expert, inner);
        });
  }

  /** Whether DeepSeek's or Qwen's layer has experts at all. */
  static boolean isSparse(Settings settings, int layer) {
    if (settings.has("first_k_dense_replace")) {
      return layer >= settings.integer("first_k_dense_replace")
          && layer % settings.integer("moe_layer_freq", 1) == 0;
    }
    for (JsonNode dense : settings.json().path("mlp_only_layers")) {
      if (dense.asInt() == layer) {
        return false;
      }
    }
    return (layer + 1) % settings.integer("decoder_sparse_step", 1) == 0;
  }

  @FunctionalInterface
  private interface Expert {
    double[] apply(int expert, double[] x);
  }

  private static double[] mixed(List<Routing.Choice> choices, double[] x, Expert experts) {
    double[] sum = new double[x.length];
    for (Routing.Choice choice : choices) {
      Model.add(sum, Model.scaled(experts.apply(choice.expert(), x), choice.weight()));
    }
    return sum;
  }

  /**
   * By an expert of a stack [experts, in, out], with its row of {@code tensor_bias}, if there is
   * one.
   */
  private static double[] stacked(Model model, String tensor, int expert, double[] x) {
    double[] y = model.products().apply(new MatrixUse(tensor, expert, true), x);
    model.weights().find(tensor + "_bias").ifPresent(bias -> Model.add(y, bias.row(expert)));
    return y;
  }
}
