package io.cafeq.config;

/** How the inverse transform P is stored. */
public enum TransformStorage {
  /** 8-bit integers with one f16 scale per column. */
  INT8("int8"),
  /** bfloat16 entries. */
  BF16("bf16");

  private final String text;

  TransformStorage(String text) {
    this.text = text;
  }

  /** The name in recipes, options and reports. */
  public String text() {
    return text;
  }

  @Override
  public String toString() {
    return text;
  }
}
