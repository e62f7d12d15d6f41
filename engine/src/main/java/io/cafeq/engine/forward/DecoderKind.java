package io.cafeq.engine.forward;

import io.cafeq.engine.family.TextConfig;
import io.cafeq.engine.tokens.BeginningToken;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** The kinds of decoders that a forward pass is written for. */
public enum DecoderKind {
  LLAMA("llama"),
  MISTRAL("mistral"),
  QWEN2("qwen2"),
  QWEN3("qwen3"),
  GEMMA("gemma"),
  GEMMA2("gemma2"),
  GEMMA3("gemma3", "gemma3_text"),
  MIXTRAL("mixtral"),
  QWEN2_MOE("qwen2_moe"),
  QWEN3_MOE("qwen3_moe");

  private final Set<String> modelTypes;

  DecoderKind(String... modelTypes) {
    this.modelTypes = Set.of(modelTypes);
  }

  /** By {@code model_type} of the model, or of the text model in it. */
  public static Optional<DecoderKind> find(TextConfig config) {
    return config.modelTypes().stream()
        .flatMap(type -> Arrays.stream(values()).filter(kind -> kind.modelTypes.contains(type)))
        .findFirst();
  }

  static String names() {
    return Arrays.stream(values())
        .map(kind -> kind.name().toLowerCase(Locale.ROOT))
        .collect(Collectors.joining(", "));
  }

  /**
   * Norms multiply by 1 + w, embeddings by the root of the hidden size, and gelu always means its
   * approximation.
   */
  public boolean isGemma() {
    return this == GEMMA || this == GEMMA2 || this == GEMMA3;
  }

  /** Texts begin with a token of their own, see {@link BeginningToken}. */
  boolean beginsWithToken() {
    return isGemma();
  }

  /** What a part adds to the states is normed, too. */
  boolean normsAfterParts() {
    return this == GEMMA2 || this == GEMMA3;
  }
}
