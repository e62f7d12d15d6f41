package io.cafeq.engine.family;

import static io.cafeq.engine.family.DecoderNames.ATTENTION;
import static io.cafeq.engine.family.DecoderNames.FEED_FORWARD;

import io.cafeq.engine.family.AttentionKind.Positions;
import io.cafeq.engine.family.AttentionKind.Values;
import io.cafeq.engine.family.LayerNames.Matrix;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** All known families, found by config.json. */
public final class Families {
  private static final List<NamedFamily> KNOWN =
      List.of(
          plain("llama", "llama").computing(KnownDecoders.LLAMA),
          plain("mistral", "mistral").computing(KnownDecoders.MISTRAL),
          plain("qwen2", "qwen2", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text")
              .computing(KnownDecoders.QWEN2),
          plain("qwen3", "qwen3").computing(KnownDecoders.QWEN3),
          plain("gemma", "gemma").computing(KnownDecoders.GEMMA),
          plain("gemma2", "gemma2").computing(KnownDecoders.GEMMA2),
          plain("gemma3", "gemma3", "gemma3_text").computing(KnownDecoders.GEMMA3),
          decoder(
              "gemma3n",
              attention(Values.NORMALISED, Positions.ROTARY),
              DecoderNames.layers(
                  DecoderNames.attention(),
                  DecoderNames.gated(FEED_FORWARD),
                  DecoderNames.layerEmbeddings()),
              "gemma3n",
              "gemma3n_text"),
          decoder(
              "bitnet",
              attention(Values.NORM_AFTER, Positions.ROTARY),
              DecoderNames.layers(DecoderNames.attention(), DecoderNames.gated(FEED_FORWARD)),
              "bitnet"),
          decoder(
              "phi3",
              new AttentionKind(
                  ATTENTION,
                  new AttentionLayout.FusedInBlocks(
                      ATTENTION + ".qkv_proj.weight", ATTENTION + ".o_proj.weight"),
                  Values.AVERAGED,
                  Positions.ROTARY),
              DecoderNames.layers(DecoderNames.fusedAttention(), DecoderNames.fusedGated()),
              "phi3"),
          decoder(
                  "mixtral",
                  attention(Values.AVERAGED, Positions.ROTARY),
                  DecoderNames.layers(
                      DecoderNames.attention(),
                      DecoderNames.experts("block_sparse_moe.experts", "w1", "w3", "w2")),
                  "mixtral")
              .computing(KnownDecoders.MIXTRAL),
          decoder(
                  "qwen2_moe",
                  attention(Values.AVERAGED, Positions.ROTARY),
                  DecoderNames.layers(DecoderNames.attention(), mixture("shared_expert")),
                  "qwen2_moe")
              .computing(KnownDecoders.QWEN2_MOE),
          decoder(
                  "qwen3_moe",
                  attention(Values.AVERAGED, Positions.ROTARY),
                  DecoderNames.layers(DecoderNames.attention(), mixture("shared_expert")),
                  "qwen3_moe")
              .computing(KnownDecoders.QWEN3_MOE),
          decoder(
              "qwen3_next",
              attention(Values.GATED, Positions.ROTARY),
              DecoderNames.layers(
                  DecoderNames.attention(),
                  DecoderNames.linearAttention(),
                  mixture("shared_expert")),
              "qwen3_next"),
          latent("deepseek_v2"),
          latent("deepseek_v3"),
          decoder(
              "llama4",
              attention(Values.AVERAGED, Positions.ROTARY_IN_SOME_LAYERS),
              DecoderNames.layers(
                  DecoderNames.attention(),
                  DecoderNames.gated("feed_forward"),
                  DecoderNames.stackedExperts("feed_forward.experts"),
                  DecoderNames.gated("feed_forward.shared_expert")),
              "llama4",
              "llama4_text"),
          decoder(
              "gpt_oss",
              attention(Values.AVERAGED, Positions.ROTARY),
              DecoderNames.layers(
                  DecoderNames.attention(),
                  DecoderNames.stackedExperts("mlp.experts"),
                  DecoderNames.packedExperts("mlp.experts")),
              "gpt_oss"),
          OlderNames.gpt2(),
          OlderNames.gptNeox(),
          OlderNames.bert(),
          OlderNames.distilbert());

  private Families() {}

  /**
   * By {@code model_type}, and by that of the section where a multimodal model describes its text
   * model.
   *
   * @param shapes of all tensors, by name; [out, in] or [experts, out, in] where they are packed
   */
  static ModelFamily of(
      ModelConfig config, Map<String, List<Long>> shapes, ModelStructure structure) {
    return config.text().modelTypes().stream()
        .flatMap(type -> KNOWN.stream().filter(family -> family.accepts(type)))
        .findFirst()
        .<ModelFamily>map(family -> new KnownModel(family, config.text(), structure))
        .orElseGet(() -> new UnknownFamily(structure, shapes));
  }

  /**
   * What is known of the computation of a model of that description, by {@code model_type} of the
   * model or of the text model in it; empty where nothing is.
   */
  public static Optional<DecoderTraits> decoder(TextConfig config) {
    return config.modelTypes().stream()
        .flatMap(
            type ->
                KNOWN.stream()
                    .flatMap(family -> family.decoder().stream())
                    .filter(decoder -> decoder.modelTypes().contains(type)))
        .findFirst();
  }

  /** The families whose computation is known, for messages. */
  public static String decoders() {
    return KNOWN.stream()
        .filter(family -> family.decoder().isPresent())
        .map(NamedFamily::name)
        .collect(Collectors.joining(", "));
  }

  public static String names() {
    return String.join(", ", KNOWN.stream().map(NamedFamily::name).toList());
  }

  private static NamedFamily plain(String name, String... modelTypes) {
    return decoder(
        name,
        attention(Values.AVERAGED, Positions.ROTARY),
        DecoderNames.layers(DecoderNames.attention(), DecoderNames.gated(FEED_FORWARD)),
        modelTypes);
  }

  private static NamedFamily latent(String name) {
    AttentionLayout layout =
        new AttentionLayout.Latent(
            ATTENTION + ".q_b_proj.weight",
            ATTENTION + ".q_proj.weight",
            ATTENTION + ".kv_b_proj.weight",
            ATTENTION + ".o_proj.weight");
    return decoder(
        name,
        new AttentionKind(ATTENTION, layout, Values.AVERAGED, Positions.BESIDE),
        DecoderNames.layers(DecoderNames.latentAttention(), mixture("shared_experts")),
        name);
  }

  private static NamedFamily decoder(
      String name, AttentionKind attention, LayerNames layers, String... modelTypes) {
    return new NamedFamily(name, Set.of(modelTypes), layers, DecoderNames.OUTER, attention);
  }

  private static AttentionKind attention(Values values, Positions positions) {
    return new AttentionKind(
        ATTENTION,
        new AttentionLayout.Separate(
            ATTENTION + ".q_proj.weight",
            ATTENTION + ".k_proj.weight",
            ATTENTION + ".v_proj.weight",
            ATTENTION + ".o_proj.weight",
            Optional.of(ATTENTION + ".k_norm.weight")),
        values,
        positions);
  }

  /** Dense layers, experts, and experts that every token passes. */
  private static List<Matrix> mixture(String shared) {
    return Stream.of(
            DecoderNames.gated(FEED_FORWARD),
            DecoderNames.experts(FEED_FORWARD + ".experts", "gate_proj", "up_proj", "down_proj"),
            DecoderNames.gated(FEED_FORWARD + "." + shared))
        .flatMap(List::stream)
        .toList();
  }
}
