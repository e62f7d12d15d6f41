package io.cafeq.engine.modelconfig;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** What published files call the keys of config.json, older and newer ones, and other makers'. */
final class ConfigKeys {
  /** Where a file describes its text model, in the order of preference. */
  static final List<String> SECTIONS =
      List.of(
          "text_config",
          "llm_config",
          "language_config",
          "language_model_config",
          "lm_config",
          "llm_cfg",
          "thinker_config",
          "text_model_config",
          "text_model",
          "language_model",
          "decoder",
          "decoder_config");

  /** Objects that belong to the text model itself, wherever they are. */
  static final Set<String> OWN_OBJECTS = Set.of("rope_parameters", "rope_scaling");

  /**
   * Other names by the one that this program asks for; where a file has several, the first counts.
   */
  static final Map<String, List<String>> OTHER_NAMES =
      Map.ofEntries(
          Map.entry("num_hidden_layers", List.of("n_layer", "n_layers", "num_layers")),
          Map.entry("num_attention_heads", List.of("n_head", "n_heads", "num_heads")),
          Map.entry(
              "num_key_value_heads",
              List.of("num_kv_heads", "n_kv_heads", "n_head_kv", "num_query_groups")),
          Map.entry("head_dim", List.of("kv_channels", "attention_head_dim", "head_size")),
          Map.entry("hidden_size", List.of("n_embd", "dim", "d_model")),
          Map.entry("intermediate_size", List.of("n_inner", "ffn_hidden_size", "d_ff", "ffn_dim")),
          Map.entry(
              "max_position_embeddings",
              List.of("n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")),
          Map.entry("vocab_size", List.of("n_vocab", "padded_vocab_size")),
          Map.entry(
              "rms_norm_eps",
              List.of(
                  "rms_norm_epsilon",
                  "norm_eps",
                  "norm_epsilon",
                  "layernorm_epsilon",
                  "layer_norm_epsilon",
                  "layer_norm_eps")),
          Map.entry("hidden_act", List.of("activation_function", "hidden_activation")),
          Map.entry(
              "num_experts",
              List.of(
                  "num_local_experts",
                  "n_routed_experts",
                  "moe_num_experts",
                  "num_moe_experts",
                  "n_experts")),
          Map.entry(
              "num_experts_per_tok",
              List.of(
                  "num_experts_per_token",
                  "experts_per_token",
                  "moe_topk",
                  "moe_top_k",
                  "top_k_experts",
                  "num_selected_experts",
                  "moe_k")),
          Map.entry(
              "moe_intermediate_size",
              List.of("expert_intermediate_size", "moe_ffn_hidden_size", "expert_ffn_hidden_size")),
          Map.entry("sliding_window", List.of("sliding_window_size", "attention_window_size")),
          Map.entry("sliding_window_pattern", List.of("_sliding_window_pattern")),
          Map.entry("rope_theta", List.of("rotary_emb_base", "rope_base", "rotary_base")),
          Map.entry(
              "partial_rotary_factor",
              List.of("rotary_pct", "rope_pct", "rotary_percentage", "rotary_emb_fraction")),
          Map.entry("tie_word_embeddings", List.of("tie_embeddings", "tied_word_embeddings")),
          Map.entry("dtype", List.of("torch_dtype")));

  /** Keys of objects that describe something else than the text model. */
  static final Pattern OTHER_PART =
      Pattern.compile(
          "(?i).*(vision|visual|image|video|audio|speech|sound|talker|token2wav|(^|_)codec?(_|$)|vocoder|projector|"
              + "encoder|quanti[sz]|rope|generation|depth|mtp|draft|sampler|perceiver|connector|resampler|vit|clip).*");

  private ConfigKeys() {}
}
