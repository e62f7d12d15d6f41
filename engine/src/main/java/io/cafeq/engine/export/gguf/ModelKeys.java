package io.cafeq.engine.export.gguf;

import io.cafeq.engine.modelconfig.ConfigNumbers;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What config.json says of a model, as llama.cpp wants to know it. What llama.cpp computes in
 * another way than the source is a {@link #refusals refusal}, what it computes alike for texts of
 * ordinary length a {@link #warnings warning}.
 */
final class ModelKeys {
  private static final int GEMMA2_LARGE = 46;
  private static final int GEMMA3_LARGE = 62;
  private static final int GEMMA3_PERIOD = 6;
  private static final String SLIDING = "sliding_window";

  private final Architecture architecture;
  private final TextConfig text;
  private final ConfigNumbers numbers;
  private final Map<String, GgufValue> values = new LinkedHashMap<>();
  private final List<String> refusals = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private final int heads;
  private final int keyHeads;
  private final int headSize;
  private final Rotary rotary;

  /** Kind CHECKPOINT where config.json lacks a number or has a wrong one. */
  ModelKeys(Architecture architecture, TextConfig text) {
    this.architecture = architecture;
    this.text = text;
    this.numbers = ConfigNumbers.of(text);
    heads =
        architecture.isGemma()
            ? numbers.count("num_attention_heads", assumedHeads(architecture))
            : numbers.count("num_attention_heads");
    keyHeads = numbers.count("num_key_value_heads", assumedKeyHeads());
    int hidden = numbers.count("hidden_size");
    headSize =
        numbers.count(
            "head_dim", architecture.isGemma() ? 256 : Math.max(1, hidden / Math.max(1, heads)));
    rotary = Rotary.of(numbers, architecture, headSize);
    rotary.refusal().ifPresent(refusals::add);
    common(hidden);
    experts();
    sliding();
    softCaps();
    activation();
  }

  /** Where files of Gemma leave out what is the library's default. */
  private static int assumedHeads(Architecture architecture) {
    return architecture == Architecture.GEMMA ? 16 : 8;
  }

  private int assumedKeyHeads() {
    return switch (architecture) {
      case GEMMA -> 16;
      case GEMMA2, GEMMA3 -> 4;
      case LLAMA, MISTRAL, MIXTRAL, QWEN2, QWEN2_MOE, QWEN3, QWEN3_MOE, PHI3 -> heads;
    };
  }

  private void common(int hidden) {
    count("block_count", layers());
    count("context_length", numbers.count("max_position_embeddings", contextLength()));
    count("embedding_length", hidden);
    count("feed_forward_length", numbers.count("intermediate_size"));
    count("attention.head_count", heads);
    count("attention.head_count_kv", keyHeads);
    count("attention.key_length", headSize);
    count("attention.value_length", headSize);
    real("attention.layer_norm_rms_epsilon", numbers.positive("rms_norm_eps", 1e-6));
    count("rope.dimension_count", rotary.channels());
    real("rope.freq_base", rotary.base());
    rotary.values().forEach((key, value) -> values.put(key(key), value));
  }

  private int contextLength() {
    return architecture == Architecture.GEMMA3 ? 131072 : 8192;
  }

  private void experts() {
    if (!architecture.isMixture()) {
      return;
    }
    count("expert_count", numbers.count("num_experts"));
    count("expert_used_count", numbers.count("num_experts_per_tok"));
    boolean normalized = numbers.flag("norm_topk_prob", architecture == Architecture.MIXTRAL);
    switch (architecture) {
      case QWEN2_MOE -> {
        count("expert_feed_forward_length", numbers.count("moe_intermediate_size"));
        count(
            "expert_shared_feed_forward_length", numbers.count("shared_expert_intermediate_size"));
        require(!normalized, "llama.cpp does not divide by the sum of the chosen experts' weights");
      }
      case QWEN3_MOE -> {
        count("expert_feed_forward_length", numbers.count("moe_intermediate_size"));
        require(normalized, "llama.cpp divides by the sum of the chosen experts' weights");
      }
      case LLAMA, MISTRAL, MIXTRAL, QWEN2, QWEN3, GEMMA, GEMMA2, GEMMA3, PHI3 -> {}
    }
  }

  private void sliding() {
    int window = numbers.index(SLIDING, architecture.hasOutputNorms() ? 4096 : 0);
    switch (architecture) {
      case GEMMA2 -> {
        count("attention.sliding_window", window);
        requirePeriod(2);
      }
      case GEMMA3 -> {
        count("attention.sliding_window", window);
        int period = period();
        require(period > 0, "llama.cpp knows layers of full attention only at equal distances");
        if (period != GEMMA3_PERIOD) {
          count("attention.sliding_window_pattern", period);
        }
        real("rope.freq_base_swa", rotary.localBase());
      }
      case QWEN2, QWEN2_MOE, QWEN3, QWEN3_MOE -> {
        if (numbers.flag("use_sliding_window", false) && window > 0) {
          warnOfWindow(window);
        }
      }
      case LLAMA, MISTRAL, MIXTRAL, PHI3, GEMMA -> {
        if (window > 0) {
          warnOfWindow(window);
        }
      }
    }
  }

  private void warnOfWindow(int window) {
    warnings.add(
        "llama.cpp lets every token attend to all before it, the source to %d: texts that are"
                .formatted(window)
            + " longer come out unlike.");
  }

  /** Distance of layers with full attention; 0 where they are not at equal distances. */
  private int period() {
    List<String> types = text.layerTypes().orElse(List.of());
    if (types.isEmpty()) {
      return GEMMA3_PERIOD;
    }
    int first = types.indexOf("full_attention");
    int period = first < 0 ? Math.max(GEMMA3_PERIOD, types.size() + 1) : first + 1;
    return isPeriod(types, period) ? period : 0;
  }

  private void requirePeriod(int period) {
    require(
        isPeriod(text.layerTypes().orElse(List.of()), period),
        "llama.cpp takes every second layer for one of full attention");
  }

  private static boolean isPeriod(List<String> types, int period) {
    return IntStream.range(0, types.size())
        .allMatch(
            layer -> types.get(layer).equals("full_attention") == ((layer + 1) % period == 0));
  }

  private void softCaps() {
    if (!architecture.hasOutputNorms()) {
      return;
    }
    if (architecture == Architecture.GEMMA2) {
      double attention = numbers.switchable("attn_logit_softcapping", 50);
      double last = numbers.switchable("final_logit_softcapping", 30);
      require(attention > 0 && last > 0, "llama.cpp caps the logits of every Gemma 2");
      real("attn_logit_softcapping", attention);
      real("final_logit_softcapping", last);
    } else {
      require(
          !numbers.has("attn_logit_softcapping") && !numbers.has("final_logit_softcapping"),
          "llama.cpp does not cap the logits of Gemma 3");
    }
    boolean large = layers() == (architecture == Architecture.GEMMA2 ? GEMMA2_LARGE : GEMMA3_LARGE);
    double expected = large ? (double) numbers.count("hidden_size") / heads : headSize;
    double scalar = numbers.positive("query_pre_attn_scalar", 256);
    require(
        scalar == expected,
        "llama.cpp scales attention by 1/sqrt(%s), the source by 1/sqrt(%s)"
            .formatted(expected, scalar));
  }

  private void activation() {
    String expected = architecture.isGemma() ? "gelu" : "silu";
    String found = numbers.text("hidden_act", expected);
    require(
        found.startsWith(expected),
        "llama.cpp computes %s in this family, the source %s".formatted(expected, found));
  }

  private void require(boolean holds, String otherwise) {
    if (!holds) {
      refusals.add(otherwise);
    }
  }

  private void count(String key, int value) {
    values.put(key(key), new GgufValue.Count(value));
  }

  private void real(String key, double value) {
    values.put(key(key), new GgufValue.Real((float) value));
  }

  private String key(String key) {
    return architecture.id() + "." + key;
  }

  /** By key, in the order of the file. */
  Map<String, GgufValue> values() {
    return new LinkedHashMap<>(values);
  }

  /** Clauses about what llama.cpp would compute otherwise. */
  List<String> refusals() {
    return List.copyOf(refusals);
  }

  /** Sentences for the user. */
  List<String> warnings() {
    return List.copyOf(warnings);
  }

  Rotary rotary() {
    return rotary;
  }

  int layers() {
    return numbers.count("num_hidden_layers");
  }

  /** Experts of each layer; 0 where there are none. */
  int expertCount() {
    return architecture.isMixture() ? numbers.count("num_experts") : 0;
  }

  int heads() {
    return heads;
  }

  int keyHeads() {
    return keyHeads;
  }

  /** Whether the head is the embedding matrix. */
  boolean isTied() {
    return text.tied().orElse(architecture.isGemma());
  }
}
