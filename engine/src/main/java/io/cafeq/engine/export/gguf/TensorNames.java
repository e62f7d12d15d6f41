package io.cafeq.engine.export.gguf;

import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Where a tensor of the source goes (gguf-py, tensor_mapping.py). */
final class TensorNames {
  private static final String PREFIX =
      "(?:language_model\\.|model\\.language_model\\.)?(?:model\\.)?";
  private static final Pattern LAYER =
      Pattern.compile(PREFIX + "layers\\.(\\d{1,4})\\.(.+)\\.(weight|bias)");
  private static final Pattern EXPERT =
      Pattern.compile("(?:block_sparse_moe|mlp)\\.experts\\.(\\d{1,4})\\.(\\w+)");
  private static final Pattern OUTER = Pattern.compile(PREFIX + "(\\w+)\\.weight");
  private static final Pattern UNUSED =
      Pattern.compile(
          ".*\\.rotary_emb\\.inv_freq|(?:model\\.)?(?:vision_tower|multi_modal_projector)\\..*");

  private static final Map<String, String> OUTSIDE =
      Map.of("embed_tokens", "token_embd", "norm", "output_norm", "lm_head", "output");

  private static final Map<String, String> EXPERTS =
      Map.of(
          "w1", "ffn_gate_exps",
          "gate_proj", "ffn_gate_exps",
          "w3", "ffn_up_exps",
          "up_proj", "ffn_up_exps",
          "w2", "ffn_down_exps",
          "down_proj", "ffn_down_exps");

  private static final Map<String, String> INSIDE =
      Map.ofEntries(
          Map.entry("input_layernorm", "attn_norm"),
          Map.entry("self_attn.q_proj", "attn_q"),
          Map.entry("self_attn.k_proj", "attn_k"),
          Map.entry("self_attn.v_proj", "attn_v"),
          Map.entry("self_attn.o_proj", "attn_output"),
          Map.entry("self_attn.qkv_proj", "attn_qkv"),
          Map.entry("self_attn.q_norm", "attn_q_norm"),
          Map.entry("self_attn.k_norm", "attn_k_norm"),
          Map.entry("mlp.gate_proj", "ffn_gate"),
          Map.entry("mlp.up_proj", "ffn_up"),
          Map.entry("mlp.gate_up_proj", "ffn_up"),
          Map.entry("mlp.down_proj", "ffn_down"),
          Map.entry("block_sparse_moe.gate", "ffn_gate_inp"),
          Map.entry("mlp.gate", "ffn_gate_inp"),
          Map.entry("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
          Map.entry("mlp.shared_expert.up_proj", "ffn_up_shexp"),
          Map.entry("mlp.shared_expert.down_proj", "ffn_down_shexp"),
          Map.entry("mlp.shared_expert_gate", "ffn_gate_inp_shexp"));

  /**
   * A place in the file.
   *
   * @param layer -1 outside of layers
   * @param role the name without layer and ending, such as {@code attn_q}
   * @param expert its place in a stack; -1 for a tensor of its own
   */
  record Place(int layer, String role, String ending, int expert) {
    String name() {
      return (layer < 0 ? "" : "blk." + layer + ".") + role + "." + ending;
    }

    boolean isNorm() {
      return role.endsWith("_norm");
    }

    /** What llama.cpp computes with in full precision. */
    boolean isExact() {
      return isNorm() || role.startsWith("ffn_gate_inp");
    }
  }

  private TensorNames() {}

  /** Empty where the architecture has no such tensor. */
  static Optional<Place> of(String name, Architecture architecture) {
    Matcher layer = LAYER.matcher(name);
    if (layer.matches()) {
      int number = Integer.parseInt(layer.group(1));
      String inner = layer.group(2);
      String ending = layer.group(3);
      Matcher expert = EXPERT.matcher(inner);
      if (expert.matches()) {
        return Optional.ofNullable(EXPERTS.get(expert.group(2)))
            .filter(role -> architecture.isMixture())
            .map(role -> new Place(number, role, ending, Integer.parseInt(expert.group(1))));
      }
      return Optional.ofNullable(inner(inner, architecture))
          .map(role -> new Place(number, role, ending, -1));
    }
    Matcher outer = OUTER.matcher(name);
    return outer.matches()
        ? Optional.ofNullable(OUTSIDE.get(outer.group(1)))
            .map(role -> new Place(-1, role, "weight", -1))
        : Optional.empty();
  }

  private static @Nullable String inner(String inner, Architecture architecture) {
    return switch (inner) {
      case "post_attention_layernorm" ->
          architecture.hasOutputNorms() ? "post_attention_norm" : "ffn_norm";
      case "pre_feedforward_layernorm" -> architecture.hasOutputNorms() ? "ffn_norm" : null;
      case "post_feedforward_layernorm" -> architecture.hasOutputNorms() ? "post_ffw_norm" : null;
      default -> INSIDE.get(inner);
    };
  }

  /** Whether the file goes without it: what is recomputed, and other modalities. */
  static boolean isUnused(String name) {
    return UNUSED.matcher(name).matches();
  }
}
