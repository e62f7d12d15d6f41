package io.cafeq.engine.family;

import io.cafeq.engine.family.DecoderTraits.Activation;
import io.cafeq.engine.family.DecoderTraits.Attention;
import io.cafeq.engine.family.DecoderTraits.Experts;
import io.cafeq.engine.family.DecoderTraits.LocalLayers;
import io.cafeq.engine.family.DecoderTraits.LocalLayers.Limit;
import io.cafeq.engine.family.DecoderTraits.Norms;
import io.cafeq.engine.family.DecoderTraits.Rotary;
import io.cafeq.engine.family.DecoderTraits.SlidingWindow;
import io.cafeq.engine.family.DecoderTraits.SlidingWindow.Switch;
import io.cafeq.engine.family.DecoderTraits.Vocabulary;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/** The decoders whose computation is known; values as transformers assumes them. */
final class KnownDecoders {
  private static final Norms PLAIN_NORMS = new Norms(false, false, false);
  private static final Norms HEAD_NORMS = new Norms(false, true, false);
  private static final Attention USUAL_ATTENTION =
      new Attention(
          OptionalInt.empty(),
          OptionalInt.empty(),
          OptionalInt.empty(),
          OptionalInt.empty(),
          OptionalDouble.empty());
  private static final Rotary USUAL_ROTARY = new Rotary(1e4, OptionalDouble.empty());
  private static final LocalLayers ALL = new LocalLayers(1, 1, Limit.NONE);
  private static final SlidingWindow NO_WINDOW = new SlidingWindow(Switch.NEVER, ALL);
  private static final Activation SILU = new Activation("silu", false);
  private static final Activation GELU = new Activation("gelu", true);
  private static final Vocabulary USUAL_VOCABULARY =
      new Vocabulary(false, 0, Optional.empty(), OptionalInt.empty());

  static final DecoderTraits LLAMA = plain("llama", PLAIN_NORMS, NO_WINDOW);
  static final DecoderTraits MISTRAL =
      plain("mistral", PLAIN_NORMS, new SlidingWindow(Switch.UNLESS_NULL, ALL));
  static final DecoderTraits QWEN2 = plain("qwen2", PLAIN_NORMS, switchedOn(1, 1, Limit.FROM));
  static final DecoderTraits QWEN3 = plain("qwen3", HEAD_NORMS, switchedOn(1, 1, Limit.FROM));

  static final DecoderTraits GEMMA =
      new DecoderTraits(
          Set.of("gemma"),
          new Norms(true, false, false),
          gemmaAttention(OptionalInt.empty(), OptionalInt.empty(), OptionalDouble.empty()),
          USUAL_ROTARY,
          NO_WINDOW,
          GELU,
          gemmaVocabulary(0),
          Optional.empty());
  static final DecoderTraits GEMMA2 =
      new DecoderTraits(
          Set.of("gemma2"),
          new Norms(true, false, true),
          gemmaAttention(OptionalInt.empty(), OptionalInt.empty(), OptionalDouble.of(50)),
          USUAL_ROTARY,
          new SlidingWindow(Switch.UNLESS_NULL, new LocalLayers(2, 1, Limit.NONE)),
          GELU,
          gemmaVocabulary(30),
          Optional.empty());
  static final DecoderTraits GEMMA3 =
      new DecoderTraits(
          Set.of("gemma3", "gemma3_text"),
          new Norms(true, true, true),
          gemmaAttention(OptionalInt.of(8), OptionalInt.of(4), OptionalDouble.of(0)),
          new Rotary(1e6, OptionalDouble.of(1e4)),
          new SlidingWindow(Switch.UNLESS_NULL, new LocalLayers(6, 5, Limit.NONE)),
          GELU,
          gemmaVocabulary(0),
          Optional.empty());

  static final DecoderTraits MIXTRAL =
      sparse(
          "mixtral",
          PLAIN_NORMS,
          new Rotary(1e6, OptionalDouble.empty()),
          new SlidingWindow(Switch.WHERE_GIVEN, ALL),
          new Experts("block_sparse_moe", "w1", "w3", "w2", 2, Optional.of(true), false, true));
  // Every other layer slides, up to the one from which on the dense kinds do.
  static final DecoderTraits QWEN2_MOE =
      sparse(
          "qwen2_moe", PLAIN_NORMS, USUAL_ROTARY, switchedOn(2, 1, Limit.BELOW), experts(4, true));
  static final DecoderTraits QWEN3_MOE =
      sparse(
          "qwen3_moe", HEAD_NORMS, USUAL_ROTARY, switchedOn(1, 1, Limit.NONE), experts(8, false));

  private KnownDecoders() {}

  private static DecoderTraits plain(String modelType, Norms norms, SlidingWindow window) {
    return new DecoderTraits(
        Set.of(modelType),
        norms,
        USUAL_ATTENTION,
        USUAL_ROTARY,
        window,
        SILU,
        USUAL_VOCABULARY,
        Optional.empty());
  }

  private static DecoderTraits sparse(
      String modelType, Norms norms, Rotary rotary, SlidingWindow window, Experts experts) {
    return new DecoderTraits(
        Set.of(modelType),
        norms,
        USUAL_ATTENTION,
        rotary,
        window,
        SILU,
        USUAL_VOCABULARY,
        Optional.of(experts));
  }

  private static SlidingWindow switchedOn(int period, int full, Limit limit) {
    return new SlidingWindow(Switch.WHERE_SWITCHED_ON, new LocalLayers(period, full, limit));
  }

  private static Experts experts(int chosen, boolean shared) {
    return new Experts(
        "mlp", "gate_proj", "up_proj", "down_proj", chosen, Optional.empty(), shared, false);
  }

  /** Heads have 256 channels, and where scores are capped they are scaled by as many. */
  private static Attention gemmaAttention(
      OptionalInt heads, OptionalInt keyHeads, OptionalDouble cap) {
    return new Attention(
        heads,
        keyHeads,
        OptionalInt.of(256),
        cap.isPresent() ? OptionalInt.of(256) : OptionalInt.empty(),
        cap);
  }

  private static Vocabulary gemmaVocabulary(double logitCap) {
    return new Vocabulary(true, logitCap, Optional.of(true), OptionalInt.of(2));
  }
}
