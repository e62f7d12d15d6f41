package io.cafeq.engine.family;

import io.cafeq.engine.family.AttentionKind.Positions;
import io.cafeq.engine.family.AttentionKind.Values;
import io.cafeq.engine.family.LayerNames.Matrix;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Families from before Llama, each with names of its own. Their heads have keys and values for
 * every query.
 */
final class OlderNames {
  private OlderNames() {}

  /** Weights are stored [in, out]; positions are added to the embeddings. */
  static NamedFamily gpt2() {
    LayerNames layers =
        new LayerNames(
            "(?:transformer\\.)?h\\.",
            List.of(
                Matrix.of("attn.c_attn.weight", Role.QUERY_KEY_VALUE)
                    .reading("attn")
                    .storedTransposed(),
                Matrix.of("attn.c_proj.weight", Role.ATTENTION_OUTPUT).storedTransposed(),
                Matrix.of("mlp.c_fc.weight", Role.UP).reading("mlp").storedTransposed(),
                Matrix.of("mlp.c_proj.weight", Role.DOWN).storedTransposed()));
    AttentionLayout layout =
        new AttentionLayout.FusedInBlocks("attn.c_attn.weight", "attn.c_proj.weight");
    return new NamedFamily(
        "gpt2",
        Set.of("gpt2"),
        layers,
        new OuterNames("(?:transformer\\.)?w[tp]e\\.weight", "(?:transformer\\.)?lm_head\\.weight"),
        new AttentionKind("attn", layout, Values.AVERAGED, Positions.ADDED));
  }

  static NamedFamily gptNeox() {
    LayerNames layers =
        new LayerNames(
            "(?:gpt_neox\\.)?layers\\.",
            List.of(
                Matrix.of("attention.query_key_value.weight", Role.QUERY_KEY_VALUE)
                    .reading("attention"),
                Matrix.of("attention.dense.weight", Role.ATTENTION_OUTPUT),
                Matrix.of("mlp.dense_h_to_4h.weight", Role.UP).reading("mlp"),
                Matrix.of("mlp.dense_4h_to_h.weight", Role.DOWN)));
    AttentionLayout layout =
        new AttentionLayout.FusedByHead(
            "attention.query_key_value.weight", "attention.dense.weight");
    return new NamedFamily(
        "gpt_neox",
        Set.of("gpt_neox"),
        layers,
        new OuterNames("(?:gpt_neox\\.)?embed_in\\.weight", "embed_out\\.weight"),
        new AttentionKind("attention", layout, Values.AVERAGED, Positions.ROTARY));
  }

  static NamedFamily bert() {
    LayerNames layers =
        new LayerNames(
            "(?:(?:bert|roberta|electra)\\.)?encoder\\.layer\\.",
            List.of(
                Matrix.of("attention.self.query.weight", Role.QUERY).reading("attention.self"),
                Matrix.of("attention.self.key.weight", Role.KEY).reading("attention.self"),
                Matrix.of("attention.self.value.weight", Role.VALUE).reading("attention.self"),
                Matrix.of("attention.output.dense.weight", Role.ATTENTION_OUTPUT),
                Matrix.of("intermediate.dense.weight", Role.UP).reading("intermediate"),
                Matrix.of("output.dense.weight", Role.DOWN)));
    AttentionLayout layout =
        new AttentionLayout.Separate(
            "attention.self.query.weight",
            "attention.self.key.weight",
            "attention.self.value.weight",
            "attention.output.dense.weight",
            Optional.empty());
    return new NamedFamily(
        "bert",
        Set.of("bert", "roberta", "xlm-roberta", "electra", "camembert"),
        layers,
        new OuterNames(
            "(?:(?:bert|roberta|electra)\\.)?embeddings\\.\\w+_embeddings\\.weight",
            "(?:cls\\.predictions\\.decoder|lm_head\\.decoder|generator_lm_head)\\.weight"),
        new AttentionKind("attention", layout, Values.AVERAGED, Positions.ADDED));
  }

  static NamedFamily distilbert() {
    LayerNames layers =
        new LayerNames(
            "(?:distilbert\\.)?transformer\\.layer\\.",
            List.of(
                Matrix.of("attention.q_lin.weight", Role.QUERY).reading("attention"),
                Matrix.of("attention.k_lin.weight", Role.KEY).reading("attention"),
                Matrix.of("attention.v_lin.weight", Role.VALUE).reading("attention"),
                Matrix.of("attention.out_lin.weight", Role.ATTENTION_OUTPUT),
                Matrix.of("ffn.lin1.weight", Role.UP).reading("ffn"),
                Matrix.of("ffn.lin2.weight", Role.DOWN)));
    AttentionLayout layout =
        new AttentionLayout.Separate(
            "attention.q_lin.weight",
            "attention.k_lin.weight",
            "attention.v_lin.weight",
            "attention.out_lin.weight",
            Optional.empty());
    return new NamedFamily(
        "distilbert",
        Set.of("distilbert"),
        layers,
        new OuterNames(
            "(?:distilbert\\.)?embeddings\\.\\w+_embeddings\\.weight", "vocab_projector\\.weight"),
        new AttentionKind("attention", layout, Values.AVERAGED, Positions.ADDED));
  }
}
