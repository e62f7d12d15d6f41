package io.cafeq.engine.family;

import io.cafeq.engine.family.LayerNames.Matrix;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Names that most decoders have, weights [out, in]. They are taken with and without the prefixes
 * that multimodal checkpoints put before their text model; towers for images and sound have
 * prefixes of their own and are no part of it.
 */
final class DecoderNames {
  /** Prefixes of a text model's names. */
  static final List<String> PREFIXES =
      List.of("model.", "language_model.", "language_model.model.", "model.language_model.", "");

  private static final String TEXT_MODEL =
      PREFIXES.stream().map(Pattern::quote).collect(Collectors.joining("|", "(?:", ")"));

  static final String ATTENTION = "self_attn";
  static final String FEED_FORWARD = "mlp";
  static final String LAYERS = TEXT_MODEL + "layers\\.";
  static final OuterNames OUTER =
      new OuterNames(TEXT_MODEL + "embed_tokens\\.weight", TEXT_MODEL + "lm_head\\.weight");

  private DecoderNames() {}

  @SafeVarargs
  static LayerNames layers(List<Matrix>... parts) {
    return new LayerNames(LAYERS, Stream.of(parts).flatMap(List::stream).toList());
  }

  static List<Matrix> attention() {
    return List.of(
        Matrix.of(ATTENTION + ".q_proj.weight", Role.QUERY).reading(ATTENTION),
        Matrix.of(ATTENTION + ".k_proj.weight", Role.KEY).reading(ATTENTION),
        Matrix.of(ATTENTION + ".v_proj.weight", Role.VALUE).reading(ATTENTION),
        Matrix.of(ATTENTION + ".o_proj.weight", Role.ATTENTION_OUTPUT));
  }

  static List<Matrix> fusedAttention() {
    return List.of(
        Matrix.of(ATTENTION + ".qkv_proj.weight", Role.QUERY_KEY_VALUE).reading(ATTENTION),
        Matrix.of(ATTENTION + ".o_proj.weight", Role.ATTENTION_OUTPUT));
  }

  /** Keys and values come from a short vector, and in the larger models so do queries. */
  static List<Matrix> latentAttention() {
    return List.of(
        Matrix.of(ATTENTION + ".q_proj.weight", Role.QUERY).reading(ATTENTION),
        Matrix.of(ATTENTION + ".q_a_proj.weight", Role.QUERY_COMPRESSION).reading(ATTENTION),
        Matrix.of(ATTENTION + ".kv_a_proj_with_mqa.weight", Role.KEY_VALUE_COMPRESSION)
            .reading(ATTENTION),
        Matrix.of(ATTENTION + ".q_b_proj.weight", Role.QUERY_EXPANSION),
        Matrix.of(ATTENTION + ".kv_b_proj.weight", Role.KEY_VALUE_EXPANSION),
        Matrix.of(ATTENTION + ".o_proj.weight", Role.ATTENTION_OUTPUT));
  }

  /**
   * Qwen3-Next's layers without softmax; the few rows that make its gates and decays are left
   * alone.
   */
  static List<Matrix> linearAttention() {
    return List.of(
        Matrix.of("linear_attn.in_proj_qkvz.weight", Role.MIXER_INPUT).reading("linear_attn"),
        Matrix.of("linear_attn.out_proj.weight", Role.MIXER_OUTPUT));
  }

  /**
   * Gemma 3n's embeddings of each layer come in through two small matrices, which are left alone.
   */
  static List<Matrix> layerEmbeddings() {
    return List.of(
        Matrix.of("per_layer_input_gate.weight", Role.OTHER),
        Matrix.of("per_layer_projection.weight", Role.OTHER));
  }

  static List<Matrix> gated(String module) {
    return List.of(
        Matrix.of(module + ".gate_proj.weight", Role.GATE).reading(module),
        Matrix.of(module + ".up_proj.weight", Role.UP).reading(module),
        Matrix.of(module + ".down_proj.weight", Role.DOWN));
  }

  static List<Matrix> fusedGated() {
    return List.of(
        Matrix.of(FEED_FORWARD + ".gate_up_proj.weight", Role.GATE_UP).reading(FEED_FORWARD),
        Matrix.of(FEED_FORWARD + ".down_proj.weight", Role.DOWN));
  }

  /** A matrix for each expert. */
  static List<Matrix> experts(String module, String gate, String up, String down) {
    return List.of(
        Matrix.of(module + ".#." + gate + ".weight", Role.GATE).reading(module).ofExperts(module),
        Matrix.of(module + ".#." + up + ".weight", Role.UP).reading(module).ofExperts(module),
        Matrix.of(module + ".#." + down + ".weight", Role.DOWN).ofExperts(module));
  }

  /**
   * All experts in one tensor: gate and up [experts, in, 2 * intermediate], down [experts,
   * intermediate, out].
   */
  static List<Matrix> stackedExperts(String module) {
    return List.of(
        Matrix.of(module + ".gate_up_proj", Role.GATE_UP)
            .reading(module)
            .ofExperts(module)
            .storedTransposed(),
        Matrix.of(module + ".down_proj", Role.DOWN).ofExperts(module).storedTransposed());
  }

  /** The same in MXFP4: [experts, out, in / 32, 16], so not transposed. */
  static List<Matrix> packedExperts(String module) {
    return List.of(
        Matrix.of(module + ".gate_up_proj_blocks", Role.GATE_UP).reading(module).ofExperts(module),
        Matrix.of(module + ".down_proj_blocks", Role.DOWN).ofExperts(module));
  }
}
