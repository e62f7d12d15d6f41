package io.cafeq.engine.plan;

/** The part that a tensor plays in its model. */
public enum Role {
  QUERY("q_proj", true),
  KEY("k_proj", true),
  VALUE("v_proj", true),
  ATTENTION_OUTPUT("o_proj", true),
  GATE("gate_proj", true),
  UP("up_proj", true),
  DOWN("down_proj", true),
  EMBEDDING("embedding", false),
  HEAD("lm_head", false),
  NORM("norm", false),
  BIAS("bias", false),
  ROUTER("router", false),
  /** Nothing that the family names. */
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
  String shortText() {
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
