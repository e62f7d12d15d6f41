package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.util.function.IntFunction;

/** Which parts the decoders with Llama's order are made of. */
final class Decoders {
  private static final int LLAMA4_NOPE_EVERY = 4;

  /** What Gemma 2 and 3 take for query_pre_attn_scalar where config.json does not say. */
  private static final double GEMMA_SCALE = 256;

  private final Model model;
  private final Settings settings;
  private final String prefix;
  private final double epsilon;

  private Decoders(Model model) {
    this.model = model;
    settings = model.settings();
    prefix = model.weights().prefixOf("embed_tokens.weight");
    epsilon = settings.number("rms_norm_eps", 1e-6);
  }

  static ForwardPass of(Model model) {
    return new Decoders(model).pass();
  }

  private ForwardPass pass() {
    return switch (model.type()) {
      case "llama", "mistral", "qwen2", "qwen3", "phi3" -> plain(grouped(), dense());
      case "mixtral" ->
          plain(
              grouped(),
              Block.perToken(
                  (layer, x) ->
                      SparseFeedForwards.mixtral(
                          model, module(layer, "block_sparse_moe"), activation(), x)));
      case "qwen2_moe", "qwen3_moe" -> plain(grouped(), sparse(SparseFeedForwards::qwen));
      case "deepseek_v2", "deepseek_v3" ->
          plain(
              new LatentAttention(model, prefix + "layers.%d.self_attn"),
              sparse(SparseFeedForwards::deepseek));
      case "llama4", "llama4_text" ->
          plain(llama4Attention(), Block.perToken(this::llama4FeedForward));
      case "gpt_oss" ->
          plain(
              grouped(),
              Block.perToken(
                  (layer, x) -> SparseFeedForwards.gptOss(model, module(layer, "mlp"), x)));
      case "gemma", "gemma2", "gemma3", "gemma3_text" ->
          new DecoderPass(
              model,
              prefix,
              epsilon,
              true,
              !model.type().equals("gemma"),
              Math.sqrt(settings.integer("hidden_size")),
              grouped(),
              dense());
      default ->
          throw new IllegalArgumentException("no forward pass is written for " + model.type());
    };
  }

  private ForwardPass plain(Block attention, Block feedForward) {
    return new DecoderPass(model, prefix, epsilon, false, false, 1, attention, feedForward);
  }

  private String module(int layer, String part) {
    return prefix + "layers." + layer + "." + part;
  }

  private Activation activation() {
    String named =
        settings.text("hidden_activation").or(() -> settings.text("hidden_act")).orElse("silu");
    // Gemma's first configurations say gelu and mean its approximation.
    return model.type().startsWith("gemma") ? Activation.GELU_TANH : Activation.named(named);
  }

  private Block dense() {
    return Block.perToken(
        (layer, x) -> FeedForwards.gated(model, module(layer, "mlp"), activation(), x));
  }

  @FunctionalInterface
  private interface Experts {
    double[] apply(Model model, String module, Activation activation, double[] x);
  }

  private Block sparse(Experts experts) {
    return Block.perToken(
        (layer, x) ->
            SparseFeedForwards.isSparse(settings, layer)
                ? experts.apply(model, module(layer, "mlp"), activation(), x)
                : FeedForwards.gated(model, module(layer, "mlp"), activation(), x));
  }

  private double[] llama4FeedForward(int layer, double[] x) {
    String module = module(layer, "feed_forward");
    return model.weights().has(module + ".router.weight")
        ? SparseFeedForwards.llama4(model, module, activation(), x)
        : FeedForwards.gated(model, module, activation(), x);
  }

  private Block grouped() {
    GroupedAttention.Heads heads = GroupedAttention.Heads.of(settings);
    boolean gemma3 = model.type().startsWith("gemma3");
    Rope global =
        rope(
            heads,
            settings.number("rope_theta", gemma3 ? 1e6 : 1e4),
            settings.json().path("rope_scaling"));
    Rope local =
        gemma3
            ? rope(heads, settings.number("rope_local_base_freq", 1e4), MissingNode.getInstance())
            : global;
    double scaled =
        settings.number(
            "query_pre_attn_scalar",
            gemma3 || model.type().equals("gemma2") ? GEMMA_SCALE : heads.size());
    double scale = 1 / Math.sqrt(scaled);
    return new GroupedAttention(
        model,
        prefix + "layers.%d.self_attn",
        heads,
        scale,
        settings.number("attn_logit_softcapping", 0),
        (layer, position, query, head) ->
            (isSliding(layer) ? local : global).rotate(headNormed(layer, query, head), position),
        visibility());
  }

  private double[] headNormed(int layer, boolean query, double[] head) {
    String weight = module(layer, "self_attn") + (query ? ".q_norm.weight" : ".k_norm.weight");
    return model
        .weights()
        .find(weight)
        .map(w -> Norms.rootMeanSquare(head, w.values(), model.type().startsWith("gemma"), epsilon))
        .orElse(head);
  }

  private Rope rope(GroupedAttention.Heads heads, double theta, JsonNode scaling) {
    int turning = (int) (heads.size() * settings.number("partial_rotary_factor", 1));
    return Rope.plain(turning, theta, false)
        .scaled(scaling, theta, settings.integer("max_position_embeddings", 2048));
  }

  private IntFunction<Attend.Visibility> visibility() {
    return layer ->
        isSliding(layer)
            ? Attend.Visibility.window(settings.integer("sliding_window"))
            : Attend.Visibility.CAUSAL;
  }

  private boolean isSliding(int layer) {
    if (!settings.has("sliding_window")) {
      return false;
    }
    if (settings.has("layer_types")) {
      return settings.entry("layer_types", layer).asText().equals("sliding_attention");
    }
    return switch (model.type()) {
      case "gemma2", "gpt_oss" -> layer % 2 == 0;
      case "gemma3", "gemma3_text" ->
          (layer + 1) % settings.integer("sliding_window_pattern", 6) != 0;
      case "mistral", "mixtral", "phi3" -> true;
      case "qwen3_moe" -> settings.flag("use_sliding_window", false);
      case "qwen2_moe" ->
          settings.flag("use_sliding_window", false)
              && layer % 2 == 0
              && layer < settings.integer("max_window_layers", 28);
      default ->
          settings.flag("use_sliding_window", false)
              && layer >= settings.integer("max_window_layers", 0);
    };
  }

  private Block llama4Attention() {
    GroupedAttention.Heads heads = GroupedAttention.Heads.of(settings);
    double theta = settings.number("rope_theta", 500000);
    Rope rope =
        Rope.plain(heads.size(), theta, true)
            .scaled(
                settings.json().path("rope_scaling"),
                theta,
                settings.integer("max_position_embeddings", 2048));
    return new GroupedAttention(
        model,
        prefix + "layers.%d.self_attn",
        heads,
        1 / Math.sqrt(heads.size()),
        0,
        (layer, position, query, head) -> {
          if (turns(layer)) {
            double[] turned = rope.rotate(head, position);
            return settings.flag("use_qk_norm", true)
                ? Norms.rootMeanSquare(turned, epsilon)
                : turned;
          }
          return query ? Model.scaled(head, temperature(position)) : head;
        },
        layer ->
            turns(layer) && settings.has("attention_chunk_size")
                ? Attend.Visibility.chunk(settings.integer("attention_chunk_size"))
                : Attend.Visibility.CAUSAL);
  }

  /**
   * 1 in no_rope_layers means that rotary embedding is used; without a list, every fourth layer has
   * none.
   */
  private boolean turns(int layer) {
    JsonNode listed = settings.json().path("no_rope_layers");
    return listed.size() > 0
        ? listed.get(layer).asInt() == 1
        : (layer + 1) % settings.integer("no_rope_layer_interval", LLAMA4_NOPE_EVERY) != 0;
  }

  private double temperature(int position) {
    return settings.flag("attn_temperature_tuning", true)
        ? Math.log1p(Math.floor((position + 1) / settings.number("floor_scale", 8192)))
                * settings.number("attn_scale", 0.1)
            + 1
        : 1;
  }
}
