package io.cafeq.config;

/** Quantization method of a tensor. */
public enum Method {
  /** Learned block-diagonal transform, replaced by round-to-nearest (RTN) where it does not pay. */
  CAFEQ("cafeq"),
  /** Round-to-nearest without a transform; GPTQ-style under statistics. */
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
