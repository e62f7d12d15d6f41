package io.cafeq.engine.forward;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.family.DecoderTraits;
import io.cafeq.engine.family.Families;
import io.cafeq.engine.forward.DecoderShape.Experts;
import io.cafeq.engine.forward.DecoderShape.Layer;
import io.cafeq.engine.modelconfig.ConfigNumbers;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.modelconfig.TextConfig;
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

  /** {@code max_window_layers} where config.json does not say. */
  private static final int USUAL_WINDOW_LIMIT = 28;

  private final DecoderTraits traits;
  private final TextConfig text;
  private final ConfigNumbers config;
  private final Optional<List<String>> layerTypes;

  private DecoderShapes(DecoderTraits traits, TextConfig text) {
    this.traits = traits;
    this.text = text;
    this.config = ConfigNumbers.of(text);
    this.layerTypes = text.layerTypes();
  }

  /**
   * Throws an {@link EngineException}: USAGE for what no forward pass is written for, CHECKPOINT
   * for nonsense.
   */
  static DecoderShape of(ModelConfig config) {
    TextConfig text = config.text();
    DecoderTraits traits =
        Families.decoder(text)
            .orElseThrow(
                () ->
                    ConfigNumbers.of(text)
                        .unknown(
                            "model_type",
                            "",
                            text.modelTypes().stream().findFirst().orElse("(none)"),
                            Families.decoders()));
    return new DecoderShapes(traits, text).read();
  }

  private DecoderShape read() {
    refuseStrangers();
    int hidden = config.count("hidden_size");
    DecoderShape.Attention attention = attention(hidden);
    int count = config.count("num_hidden_layers");
    if (count > MOST_LAYERS) {
      throw config.wrong("num_hidden_layers", "at most " + MOST_LAYERS);
    }
    RotaryConfig rotary = new RotaryConfig(config, traits.rotary());
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
    return new DecoderShape(
        hidden,
        config.positive("rms_norm_eps", 1e-6),
        traits.norms(),
        attention,
        activation(),
        vocabulary(hidden),
        layers,
        experts);
  }

  private DecoderShape.Vocabulary vocabulary(int hidden) {
    DecoderTraits.Vocabulary assumed = traits.vocabulary();
    return new DecoderShape.Vocabulary(
        assumed.rootScaled() ? Math.sqrt(hidden) : 1,
        config.switchable("final_logit_softcapping", assumed.logitCap()),
        config.has("tie_word_embeddings")
            ? Optional.of(config.flag("tie_word_embeddings", true))
            : assumed.tied(),
        assumed.beginning());
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
    DecoderTraits.Attention assumed = traits.attention();
    int heads =
        assumed.heads().isPresent()
            ? config.count("num_attention_heads", assumed.heads().getAsInt())
            : config.count("num_attention_heads");
    int keyValues = config.count("num_key_value_heads", assumed.keyHeads().orElse(heads));
    int size =
        config.count("head_dim", assumed.headSize().orElseGet(() -> Math.max(1, hidden / heads)));
    if (heads % keyValues != 0) {
      throw config.wrong("num_key_value_heads", "a divisor of " + heads + " attention heads");
    }
    if (size % 2 != 0 || (long) heads * size > Integer.MAX_VALUE / 4) {
      throw config.wrong("head_dim", "an even number that " + heads + " attention heads can have");
    }
    double scaled =
        assumed.scaledBy().isPresent()
            ? config.positive("query_pre_attn_scalar", assumed.scaledBy().getAsInt())
            : size;
    return new DecoderShape.Attention(
        heads,
        keyValues,
        size,
        1 / Math.sqrt(scaled),
        assumed.cap().isPresent()
            ? config.switchable("attn_logit_softcapping", assumed.cap().getAsDouble())
            : 0);
  }

  private Activation activation() {
    String key = config.has("hidden_activation") ? "hidden_activation" : "hidden_act";
    String name = config.text(key, traits.activation().assumed());
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "silu", "swish" -> Activation.SILU;
      case "gelu_pytorch_tanh", "gelu_new", "gelu_fast" -> Activation.GELU_TANH;
      case "gelu" -> {
        if (!traits.activation().geluIsTanh()) {
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
        switch (traits.window().on()) {
          case NEVER -> false;
          case UNLESS_NULL -> !size.isNull();
          case WHERE_GIVEN -> config.has("sliding_window");
          case WHERE_SWITCHED_ON -> config.flag("use_sliding_window", false) && !size.isNull();
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
    DecoderTraits.LocalLayers local = traits.window().local();
    return layer % local.period() != local.full()
        && switch (local.limit()) {
          case NONE -> true;
          case FROM -> layer >= windowLimit();
          case BELOW -> layer < windowLimit();
        };
  }

  private int windowLimit() {
    return config.index("max_window_layers", USUAL_WINDOW_LIMIT);
  }

  private Optional<Experts> experts() {
    Optional<Experts> experts = traits.experts().map(this::experts);
    experts
        .filter(found -> found.chosen() > found.count())
        .ifPresent(
            found -> {
              throw config.wrong("num_experts_per_tok", "at most " + found.count() + " experts");
            });
    return experts;
  }

  private Experts experts(DecoderTraits.Experts assumed) {
    return new Experts(
        assumed.module(),
        assumed.gate(),
        assumed.up(),
        assumed.down(),
        config.count("num_experts"),
        config.count("num_experts_per_tok", assumed.chosen()),
        assumed.normed().orElseGet(() -> config.flag("norm_topk_prob", false)),
        assumed.shared());
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
    if (traits.experts().filter(DecoderTraits.Experts::everywhere).isPresent()) {
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
