package io.cafeq.engine.export.gguf;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** Families that this program writes for llama.cpp, by {@code model_type} of config.json. */
enum Architecture {
  LLAMA("llama", "llama"),
  MISTRAL("mistral", "llama"),
  MIXTRAL("mixtral", "llama"),
  QWEN2("qwen2", "qwen2"),
  QWEN2_MOE("qwen2_moe", "qwen2moe"),
  QWEN3("qwen3", "qwen3"),
  QWEN3_MOE("qwen3_moe", "qwen3moe"),
  GEMMA("gemma", "gemma"),
  GEMMA2("gemma2", "gemma2"),
  GEMMA3("gemma3_text", "gemma3"),
  PHI3("phi3", "phi3");

  private final String modelType;
  private final String id;

  Architecture(String modelType, String id) {
    this.modelType = modelType;
    this.id = id;
  }

  /** Of the text model; what surrounds it is none of llama.cpp's main file. */
  static Optional<Architecture> of(String modelType) {
    return Arrays.stream(values())
        .filter(architecture -> architecture.modelType.equals(modelType))
        .findFirst();
  }

  static String known() {
    return Arrays.stream(values())
        .map(architecture -> architecture.modelType)
        .collect(Collectors.joining(", "));
  }

  /** What llama.cpp calls it; the prefix of its keys. */
  String id() {
    return id;
  }

  /** Whether llama.cpp turns neighbouring channels of a head, where the source turns halves. */
  boolean permutesHeads() {
    return switch (this) {
      case LLAMA, MISTRAL, MIXTRAL -> true;
      case QWEN2, QWEN2_MOE, QWEN3, QWEN3_MOE, GEMMA, GEMMA2, GEMMA3, PHI3 -> false;
    };
  }

  boolean isGemma() {
    return switch (this) {
      case GEMMA, GEMMA2, GEMMA3 -> true;
      case LLAMA, MISTRAL, MIXTRAL, QWEN2, QWEN2_MOE, QWEN3, QWEN3_MOE, PHI3 -> false;
    };
  }

  /** Whether every layer has experts. */
  boolean isMixture() {
    return switch (this) {
      case MIXTRAL, QWEN2_MOE, QWEN3_MOE -> true;
      case LLAMA, MISTRAL, QWEN2, QWEN3, GEMMA, GEMMA2, GEMMA3, PHI3 -> false;
    };
  }

  /** Whether outputs of attention and of the MLP have norms of their own. */
  boolean hasOutputNorms() {
    return this == GEMMA2 || this == GEMMA3;
  }
}
