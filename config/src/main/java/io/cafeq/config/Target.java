package io.cafeq.config;

/** The program whose files a result is made for. It limits grids and transforms from the start. */
public enum Target {
  /** No program: all grids and transforms. */
  NONE("none"),
  /** {@code compressed-tensors}, format {@code pack-quantized}: vLLM, transformers, SGLang. */
  COMPRESSED_TENSORS("compressed-tensors"),
  /** Affine quantization of MLX. */
  MLX("mlx"),
  /** GPTQ checkpoints, for what still reads them. */
  GPTQ("gptq"),
  /** Files of llama.cpp and of what is built on it. */
  GGUF("gguf");

  private final String text;

  Target(String text) {
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
