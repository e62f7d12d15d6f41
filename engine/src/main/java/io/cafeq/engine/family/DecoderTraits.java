package io.cafeq.engine.family;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What the decoders of a family compute beyond what all decoders do, and what their library assumes
 * where config.json leaves a key out. All that a forward pass knows of a family.
 *
 * @param modelTypes those of config.json that are computed so; a family may have more whose names
 *     alone are known
 */
public record DecoderTraits(
    Set<String> modelTypes,
    Norms norms,
    Attention attention,
    Rotary rotary,
    SlidingWindow window,
    Activation activation,
    Vocabulary vocabulary,
    Optional<Experts> experts) {
  public DecoderTraits {
    modelTypes = Set.copyOf(modelTypes);
  }

  /**
   * Root-mean-square norms.
   *
   * @param storedMinusOne whether files hold w - 1
   * @param ofHeads whether queries and keys are normed head by head
   * @param afterParts whether what a part adds to the states is normed, too
   */
  public record Norms(boolean storedMinusOne, boolean ofHeads, boolean afterParts) {}

  /**
   * Numbers that are assumed of the attention.
   *
   * @param heads empty where config.json has to say
   * @param keyHeads empty for as many as there are heads
   * @param headSize empty for hidden size by heads
   * @param scaledBy {@code query_pre_attn_scalar}, whose root divides scores; empty where the root
   *     of the head size does, whatever config.json says
   * @param cap {@code attn_logit_softcapping}, 0 for none; empty where there is never one
   */
  public record Attention(
      OptionalInt heads,
      OptionalInt keyHeads,
      OptionalInt headSize,
      OptionalInt scaledBy,
      OptionalDouble cap) {}

  /**
   * The base of rotary frequencies.
   *
   * @param localBase of layers with a sliding window, where they have one of their own
   */
  public record Rotary(double base, OptionalDouble localBase) {}

  /**
   * Which layers see the last positions alone.
   *
   * @param local where config.json lists no kinds of layers
   */
  public record SlidingWindow(Switch on, LocalLayers local) {
    /** What decides whether any layer has a window. */
    public enum Switch {
      NEVER,
      /** {@code sliding_window} is not null. */
      UNLESS_NULL,
      /** {@code sliding_window} is a number. */
      WHERE_GIVEN,
      /** {@code use_sliding_window} is true. */
      WHERE_SWITCHED_ON
    }
  }

  /**
   * All layers but those whose number leaves a remainder, on one side of {@code max_window_layers}.
   *
   * @param period what layers are counted modulo
   * @param full the remainder of those without a window; one that is never left for none
   */
  public record LocalLayers(int period, int full, Limit limit) {
    /** What {@code max_window_layers} means. */
    public enum Limit {
      NONE,
      FROM,
      BELOW
    }
  }

  /**
   * What is done to the gate of a feed-forward part.
   *
   * @param assumed its name, as in config.json
   * @param geluIsTanh whether files that say gelu mean its approximation by tanh
   */
  public record Activation(String assumed, boolean geluIsTanh) {}

  /**
   * Embeddings and head.
   *
   * @param rootScaled whether embeddings are multiplied by the root of the hidden size
   * @param logitCap {@code final_logit_softcapping}, 0 for none
   * @param tied whether the head is the embeddings; empty where the files tell
   * @param beginning the token that all texts begin with; empty where they begin with their own
   */
  public record Vocabulary(
      boolean rootScaled, double logitCap, Optional<Boolean> tied, OptionalInt beginning) {}

  /**
   * A mixture of experts.
   *
   * @param module its name after the layer's number
   * @param chosen experts that a token is sent to
   * @param normed whether the weights of the chosen ones are made to add up to 1; empty where
   *     {@code norm_topk_prob} says
   * @param shared whether there is one that every token passes, behind a gate of its own
   * @param everywhere whether all layers have experts, whatever config.json says
   */
  public record Experts(
      String module,
      String gate,
      String up,
      String down,
      int chosen,
      Optional<Boolean> normed,
      boolean shared,
      boolean everywhere) {}
}
