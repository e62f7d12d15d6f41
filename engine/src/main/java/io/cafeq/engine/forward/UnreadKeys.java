package io.cafeq.engine.forward;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Keys of config.json that no forward pass reads and that are not known to leave the computation as
 * it is.
 */
public final class UnreadKeys {
  private static final Set<String> READ =
      Set.of(
          "architectures",
          "attention_bias",
          "attn_logit_softcapping",
          "auto_map",
          "compression_config",
          "decoder_sparse_step",
          "dtype",
          "final_logit_softcapping",
          "head_dim",
          "hidden_act",
          "hidden_activation",
          "hidden_size",
          "intermediate_size",
          "is_causal",
          "layer_types",
          "max_position_embeddings",
          "max_window_layers",
          "mlp_bias",
          "mlp_layer_types",
          "mlp_only_layers",
          "model_type",
          "moe_intermediate_size",
          "norm_topk_prob",
          "num_attention_heads",
          "num_experts",
          "num_experts_per_tok",
          "num_hidden_layers",
          "num_key_value_heads",
          "partial_rotary_factor",
          "qkv_bias",
          "quantization_config",
          "query_pre_attn_scalar",
          "rms_norm_eps",
          "rope_local_base_freq",
          "rope_parameters",
          "rope_scaling",
          "rope_theta",
          "shared_expert_intermediate_size",
          "sliding_window",
          "sliding_window_pattern",
          "tie_word_embeddings",
          "use_bidirectional_attention",
          "use_sliding_window",
          "vocab_size");

  /** Training, generation, tokens, other modalities, and how libraries run or store a model. */
  private static final Pattern HARMLESS =
      Pattern.compile(
          "(?i)_.*|"
              + ".*(dropout|layerdrop|initializer|loss|jitter|_coef|_token_ids?|_tokens?|_token_index|version|name_or_path|"
              + "license|compil|implementation|flash|sdpa|kernel|unsloth|_plan|parallel|pretrain|gradient|checkpointing|cache|"
              + "vision|visual|image|video|audio|speech|projector|label|generation|transformers).*|"
              + "(do_sample|temperature|top_k|top_p|typical_p|num_beams|num_beam_groups|num_return_sequences|max_length|"
              + "min_length|max_new_tokens|length_penalty|repetition_penalty|diversity_penalty|(encoder_)?no_repeat_ngram_size|"
              + "early_stopping|bad_words_ids|exponential_decay_length_penalty|remove_invalid_values|prefix|"
              + "task_specific_params|problem_type|finetuning_task|output_(attentions|hidden_states|router_logits|scores)|"
              + "(use_)?return_dict\\w*|"
              + "is_(decoder|encoder_decoder|llama_config)|add_cross_attention|chunk_size_feed_forward|"
              + "cross_attention_hidden_size|tie_encoder_decoder|torchscript|pruned_heads|use_bfloat16|tf_legacy_loss|"
              + "model_max_length|original_max_position_embeddings|seed|tokenizer_class|base_model)");

  /** Numbers that multiply; 1 changes nothing. */
  private static final Pattern FACTOR = Pattern.compile("(?i).*(multiplier|scal|factor).*");

  private UnreadKeys() {}

  /** As the file has them, in its order. */
  public static List<String> of(TextConfig config) {
    return config.node().properties().stream()
        .filter(
            entry -> !READ.contains(entry.getKey()) && !HARMLESS.matcher(entry.getKey()).matches())
        .filter(entry -> config.isOwn(entry.getKey()) && !config.isOtherName(entry.getKey()))
        .filter(entry -> says(entry.getKey(), entry.getValue()))
        .map(Map.Entry::getKey)
        .map(config::place)
        .toList();
  }

  private static boolean says(String key, JsonNode value) {
    return switch (value.getNodeType()) {
      case BOOLEAN -> value.booleanValue();
      case NUMBER ->
          value.doubleValue() != 0 && !(FACTOR.matcher(key).matches() && value.doubleValue() == 1);
      case STRING -> !value.textValue().isEmpty();
      case ARRAY, OBJECT -> !value.isEmpty();
      case NULL, MISSING, BINARY, POJO -> false;
    };
  }
}
