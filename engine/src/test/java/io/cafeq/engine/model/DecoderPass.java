package io.cafeq.engine.model;

import java.util.ArrayList;
import java.util.List;

/**
 * Decoders with Llama's order: states += attention(norm(states)), states +=
 * feedForward(norm(states)).
 *
 * @param prefix before "layers.N." and "embed_tokens"
 * @param onePlus whether norms multiply by 1 + w
 * @param sandwich whether what a part adds is normed too, as in Gemma 2 and 3
 */
record DecoderPass(
    Model model,
    String prefix,
    double epsilon,
    boolean onePlus,
    boolean sandwich,
    double embeddingScale,
    Block attention,
    Block feedForward)
    implements ForwardPass {

  @Override
  public Trace run(int... tokens) {
    double[][] states = model.embed(prefix + "embed_tokens.weight", tokens);
    for (int token = 0; token < states.length; token++) {
      states[token] = Model.scaled(states[token], embeddingScale);
    }
    List<double[][]> attended = new ArrayList<>();
    List<double[][]> fed = new ArrayList<>();
    for (int layer = 0; layer < model.settings().integer("num_hidden_layers"); layer++) {
      String name = prefix + "layers." + layer + ".";
      double[][] first = attention.apply(layer, normed(name + "input_layernorm.weight", states));
      first = sandwich ? normed(name + "post_attention_layernorm.weight", first) : first;
      attended.add(first);
      states = Model.sum(states, first);
      String before =
          sandwich ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight";
      double[][] second = feedForward.apply(layer, normed(name + before, states));
      second = sandwich ? normed(name + "post_feedforward_layernorm.weight", second) : second;
      fed.add(second);
      states = Model.sum(states, second);
    }
    return new Trace(attended, fed, normed(prefix + "norm.weight", states));
  }

  private double[][] normed(String weight, double[][] states) {
    double[][] result = new double[states.length][];
    for (int token = 0; token < states.length; token++) {
      result[token] =
          Norms.rootMeanSquare(states[token], model.weights().vector(weight), onePlus, epsilon);
    }
    return result;
  }
}
