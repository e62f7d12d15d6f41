package io.cafeq.engine.forward;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.family.TextConfig;
import io.cafeq.engine.forward.DecoderShape.Experts;
import io.cafeq.engine.forward.DecoderShape.Layer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the shape of a decoder from config.json, with what its family assumes where a key is
 * missing.
 */
final class DecoderShapes {
  private static final int MOST_LAYERS = 1 << 14;

  /** Gemma 2 and 3, where config.json does not say. */
  private static final int GEMMA_HEAD = 256;

  /** Every so many layers of Gemma 3 one sees all positions. */
  private static final int USUAL_PATTERN = 6;

  private final DecoderKind kind;
  private final TextConfig text;
  private final ConfigNumbers config;
  private final Optional<List<String>> layerTypes;

  private DecoderShapes(DecoderKind kind, TextConfig text) {
    this.kind = kind;
    this.text = text;
    this.config = ConfigNumbers.of(text);
    this.layerTypes = text.layerTypes();
  }

  /**
   * Throws an {@link EngineException}: USAGE for what no forward pass is written for, CHECKPOINT
   * for nonsense.
   */
  static DecoderShape of(JsonNode config) {
    TextConfig text = TextConfig.of(config);
    DecoderKind kind =
        DecoderKind.find(text)
            .orElseThrow(
                () ->
                    ConfigNumbers.of(text)
                        .unknown(
                            "model_type",
                            "",
                            text.modelTypes().stream().findFirst().orElse("(none)"),
                            DecoderKind.names()));
    return new DecoderShapes(kind, text).read();
  }

  private DecoderShape read() {
    refuseStrangers();
    int hidden = config.count("hidden_size");
    DecoderShape.Attention attention = attention(hidden);
    int count = config.count("num_hidden_layers");
    if (count > MOST_LAYERS) {
      throw config.wrong("num_hidden_layers", "at most " + MOST_LAYERS);
    }
    RotaryConfig rotary = new RotaryConfig(config, kind);
    Map<String, RotaryFrequencies> byType = new HashMap<>();
    Optional<Experts> experts = experts();
    List<Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < count; layer++) {
      int window = window(layer);
      RotaryFrequencies frequencies =
          byType.computeIfAbsent(
              window == DecoderShape.ALL ? RotaryConfig.GLOBAL : RotaryConfig.LOCAL,
              type -> rotary.of(type, attention.size()));
      layers.add(new Layer(window, frequencies, experts.isPresent() && isSparse(layer)));
    }
    boolean gemma2 = kind == DecoderKind.GEMMA2;
    return new DecoderShape(
        kind,
        hidden,
        config.positive("rms_norm_eps", 1e-6),
        attention,
        kind.isGemma() ? Math.sqrt(hidden) : 1,
        activation(),
        config.switchable("final_logit_softcapping", gemma2 ? 30 : 0),
        tied(),
        layers,
        experts);
  }

  private Optional<Boolean> tied() {
    return config.has("tie_word_embeddings") || kind.isGemma()
        ? Optional.of(config.flag("tie_word_embeddings", true))
        : Optional.empty();
  }

  private void refuseStrangers() {
    if (config.positive(RotaryFrequencies.PARTIAL, 1) != 1) {
      throw config.unknown(RotaryFrequencies.PARTIAL, "1");
    }
    if (!config.flag("is_causal", true)) {
      throw config.unknown("is_causal", "true");
    }
    if (config.flag("use_bidirectional_attention", false)) {
      throw config.unknown("use_bidirectional_attention", "false");
    }
    text.attentionGate()
        .ifPresent(
            key -> {
              throw config.unknown(key, "no gate on the attention");
            });
  }

  private DecoderShape.Attention attention(int hidden) {
    boolean gemma3 = kind == DecoderKind.GEMMA3;
    int heads =
        gemma3 ? config.count("num_attention_heads", 8) : config.count("num_attention_heads");
    int keyValues = config.count("num_key_value_heads", gemma3 ? 4 : heads);
    int size = config.count("head_dim", kind.isGemma() ? GEMMA_HEAD : Math.max(1, hidden / heads));
    if (heads % keyValues != 0) {
      throw config.wrong("num_key_value_heads", "a divisor of " + heads + " attention heads");
    }
    if (size % 2 != 0 || (long) heads * size > Integer.MAX_VALUE / 4) {
      throw config.wrong("head_dim", "an even number that " + heads + " attention heads can have");
    }
    double scaled =
        kind.normsAfterParts() ? config.positive("query_pre_attn_scalar", GEMMA_HEAD) : size;
    return new DecoderShape.Attention(
        heads,
        keyValues,
        size,
        1 / Math.sqrt(scaled),
        kind.normsAfterParts()
            ? config.switchable("attn_logit_softcapping", kind == DecoderKind.GEMMA2 ? 50 : 0)
            : 0);
  }

  private Activation activation() {
    String key = config.has("hidden_activation") ? "hidden_activation" : "hidden_act";
    String name = config.text(key, kind.isGemma() ? "gelu" : "silu");
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "silu", "swish" -> Activation.SILU;
      case "gelu_pytorch_tanh", "gelu_new", "gelu_fast" -> Activation.GELU_TANH;
      // Gemma's first files say gelu and mean its approximation.
      case "gelu" -> {
        if (!kind.isGemma()) {
          throw config.unknown(key, "silu and gelu_pytorch_tanh");
        }
        yield Activation.GELU_TANH;
      }
      default -> throw config.unknown(key, "silu and gelu_pytorch_tanh");
    };
  }

  /** Last positions that a layer sees. */
  private int window(int layer) {
    JsonNode size = config.node().path("sliding_window");
    boolean slides =
        switch (kind) {
          case LLAMA, GEMMA -> false;
          case MISTRAL, GEMMA2, GEMMA3 -> !size.isNull();
          case MIXTRAL -> config.has("sliding_window");
          case QWEN2, QWEN3, QWEN2_MOE, QWEN3_MOE ->
              config.flag("use_sliding_window", false) && !size.isNull();
        };
    return slides && isLocal(layer) ? config.count("sliding_window", 4096) : DecoderShape.ALL;
  }

  private boolean isLocal(int layer) {
    if (layerTypes.isPresent()) {
      String type = layer < layerTypes.get().size() ? layerTypes.get().get(layer) : "(none)";
      return switch (type) {
        case RotaryConfig.LOCAL -> true;
        case RotaryConfig.GLOBAL -> false;
        default ->
            throw config.unknown(
                "layer_types",
                "layer " + layer + " with attention of type",
                type,
                "sliding_attention and full_attention");
      };
    }
    if (config.has("sliding_window_pattern")) {
      throw config.wrong("sliding_window_pattern", "a whole number above 0, or letters L and G");
    }
    return switch (kind) {
      case LLAMA, MISTRAL, GEMMA, MIXTRAL, QWEN3_MOE -> true;
      case GEMMA2 -> layer % 2 == 0;
      case GEMMA3 -> (layer + 1) % USUAL_PATTERN != 0;
      case QWEN2, QWEN3 -> layer >= config.index("max_window_layers", 28);
      // Every other layer, up to the one from which on the dense kinds slide.
      case QWEN2_MOE -> layer % 2 == 0 && layer < config.index("max_window_layers", 28);
    };
  }

  private Optional<Experts> experts() {
    Experts experts =
        switch (kind) {
          case LLAMA, MISTRAL, QWEN2, QWEN3, GEMMA, GEMMA2, GEMMA3 -> null;
          case MIXTRAL ->
              new Experts(
                  "block_sparse_moe",
                  "w1",
                  "w3",
                  "w2",
                  config.count("num_experts"),
                  config.count("num_experts_per_tok", 2),
                  true,
                  false);
          case QWEN2_MOE -> mixture(4, true);
          case QWEN3_MOE -> mixture(8, false);
        };
    if (experts != null && experts.chosen() > experts.count()) {
      throw config.wrong("num_experts_per_tok", "at most " + experts.count() + " experts");
    }
    return Optional.ofNullable(experts);
  }

  private Experts mixture(int chosen, boolean shared) {
    return new Experts(
        "mlp",
        "gate_proj",
        "up_proj",
        "down_proj",
        config.count("num_experts"),
        config.count("num_experts_per_tok", chosen),
        config.flag("norm_topk_prob", false),
        shared);
  }

  private boolean isSparse(int layer) {
    JsonNode types = config.node().path("mlp_layer_types");
    if (types.isArray()) {
      String type = types.path(layer).asText("(none)");
      return switch (type) {
        case "sparse", "moe" -> true;
        case "dense" -> false;
        default ->
            throw config.unknown(
                "mlp_layer_types", "layer " + layer + " of type", type, "sparse and dense");
      };
    }
    if (kind == DecoderKind.MIXTRAL) {
      return true;
    }
    for (JsonNode dense : config.node().path("mlp_only_layers")) {
      if (dense.asInt(-1) == layer) {
        return false;
      }
    }
    return (layer + 1) % config.count("decoder_sparse_step", 1) == 0;
  }
}
