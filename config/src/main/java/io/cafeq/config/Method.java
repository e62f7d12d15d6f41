package io.cafeq.config;

/** How the weights of a tensor are treated. */
public enum Method {
  /** Learned block-diagonal transform, falling back to plain rounding where it does not pay. */
  CAFEQ("cafeq"),
  /** Rounding without a transform. */
  RTN("rtn"),
  /** Random rotation of each block. */
  ROTATION("rotation"),
  /** Block Hadamard with random signs. */
  HADAMARD("hadamard"),
  /** No quantization: the tensor is copied. */
  NONE("none");

  private final String text;

  Method(String text) {
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
