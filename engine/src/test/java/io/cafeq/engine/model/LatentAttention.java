package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;

/**
 * DeepSeek's attention: keys and values of all heads come from one small latent state, and only
 * some channels of each head, whose keys all heads share, carry the position.
 *
 * @param module the name before ".kv_b_proj", with %d for the layer
 */
record LatentAttention(Model model, String module) implements Block {
  /** Of the norms inside; that of config.json is for the others. */
  private static final double EPSILON = 1e-6;

  @Override
  public double[][] apply(int layer, double[][] states) {
    Settings settings = model.settings();
    String name = module.formatted(layer);
    int heads = settings.integer("num_attention_heads");
    int plain = settings.integer("qk_nope_head_dim");
    int turning = settings.integer("qk_rope_head_dim");
    int valueSize = settings.integer("v_head_dim");
    int latent = settings.integer("kv_lora_rank");
    Rope rope = rope(turning);

    double[][] queries =
        model.weights().has(name + ".q_proj.weight")
            ? model.linear(name + ".q_proj", states)
            : model.linear(
                name + ".q_b_proj",
                normed(name + ".q_a_layernorm.weight", model.linear(name + ".q_a_proj", states)));
    double[][] compressed = model.linear(name + ".kv_a_proj_with_mqa", states);
    double[][] expanded =
        model.linear(
            name + ".kv_b_proj",
            normed(
                name + ".kv_a_layernorm.weight", GroupedAttention.columns(compressed, 0, latent)));

    int size = plain + turning;
    double[][] q = new double[states.length][heads * size];
    double[][] k = new double[states.length][heads * size];
    double[][] v = new double[states.length][heads * valueSize];
    for (int token = 0; token < states.length; token++) {
      double[] sharedKey =
          rope.rotate(Arrays.copyOfRange(compressed[token], latent, latent + turning), token);
      for (int head = 0; head < heads; head++) {
        int from = head * size;
        System.arraycopy(queries[token], from, q[token], from, plain);
        double[] turned =
            rope.rotate(Arrays.copyOfRange(queries[token], from + plain, from + size), token);
        System.arraycopy(turned, 0, q[token], from + plain, turning);
        int stored = head * (plain + valueSize);
        System.arraycopy(expanded[token], stored, k[token], from, plain);
        System.arraycopy(sharedKey, 0, k[token], from + plain, turning);
        System.arraycopy(expanded[token], stored + plain, v[token], head * valueSize, valueSize);
      }
    }
    Attend attend = new Attend(heads, heads, scale(size), Attend.Visibility.CAUSAL);
    return model.linear(name + ".o_proj", attend.apply(q, k, v));
  }

  private Rope rope(int channels) {
    Settings settings = model.settings();
    double theta = settings.number("rope_theta", 10000);
    return Rope.plain(channels, theta, settings.flag("rope_interleave", true))
        .scaled(
            settings.json().path("rope_scaling"),
            theta,
            settings.integer("max_position_embeddings", 4096));
  }

  private double scale(int size) {
    JsonNode scaling = model.settings().json().path("rope_scaling");
    double magnitude =
        Rope.yarnMagnitude(
            scaling.path("factor").asDouble(1), scaling.path("mscale_all_dim").asDouble(0));
    return magnitude * magnitude / Math.sqrt(size);
  }

  private double[][] normed(String weight, double[][] states) {
    double[][] result = new double[states.length][];
    for (int token = 0; token < states.length; token++) {
      result[token] =
          Norms.rootMeanSquare(states[token], model.weights().vector(weight), false, EPSILON);
    }
    return result;
  }
}
