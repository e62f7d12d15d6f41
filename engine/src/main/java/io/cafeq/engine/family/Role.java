package io.cafeq.engine.family;

/**
 * Role of a tensor in its model. Matrices that share an input are stacked in this order, so that
 * their unit's ID reads qkv, q_a_kv_a or gate_up.
 */
public enum Role {
  QUERY("q_proj", true),
  /**
   * Latent attention: from the layer's input to the short vector that the queries are made from.
   */
  QUERY_COMPRESSION("q_a_proj", true),
  KEY("k_proj", true),
  VALUE("v_proj", true),
  /** Queries, keys and values fused into one matrix. */
  QUERY_KEY_VALUE("qkv_proj", true),
  /**
   * Latent attention: from the layer's input to the short vector that is cached, and to the rotary
   * key.
   */
  KEY_VALUE_COMPRESSION("kv_a_proj", true),
  /** Latent attention: from the short vector to the queries. */
  QUERY_EXPANSION("q_b_proj", true),
  /** Latent attention: from the short vector to keys and values. */
  KEY_VALUE_EXPANSION("kv_b_proj", true),
  ATTENTION_OUTPUT("o_proj", true),
  /** Into linear attention or another mixer that is no attention. */
  MIXER_INPUT("mixer_in_proj", true),
  /** Out of such a mixer. */
  MIXER_OUTPUT("mixer_out_proj", true),
  GATE("gate_proj", true),
  /** Into the feed-forward part, also where it has no gate. */
  UP("up_proj", true),
  /** Gate and up fused into one matrix. */
  GATE_UP("gate_up_proj", true),
  DOWN("down_proj", true),
  /** Something that is multiplied, as far as names tell, in a model of an unknown family. */
  MATRIX("matrix", true),
  EMBEDDING("embedding", false),
  HEAD("lm_head", false),
  NORM("norm", false),
  BIAS("bias", false),
  ROUTER("router", false),
  /** What the elements of another stored tensor are to be multiplied by. */
  SCALE("scale", false),
  /** Anything that the family does not name. */
  OTHER("other", false);

  private final String text;
  private final boolean linear;

  Role(String text, boolean linear) {
    this.text = text;
    this.linear = linear;
  }

  /** The name in result files and reports. */
  public String text() {
    return text;
  }

  /** True for the matrices that are quantized without being asked for. */
  public boolean isLinear() {
    return linear;
  }

  /** The name among tensors that share an input: q, k, v; gate, up. */
  public String shortText() {
    return text.endsWith("_proj") ? text.substring(0, text.length() - "_proj".length()) : text;
  }

  /** The role with that {@link #text()}, or {@link #OTHER}. */
  public static Role of(String text) {
    for (Role role : values()) {
      if (role.text.equals(text)) {
        return role;
      }
    }
    return OTHER;
  }

  @Override
  public String toString() {
    return text;
  }
}
