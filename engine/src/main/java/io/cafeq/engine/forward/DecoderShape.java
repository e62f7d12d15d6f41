package io.cafeq.engine.forward;

import io.cafeq.engine.family.DecoderTraits.Norms;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a decoder computes, from its config.json; all that the forward pass needs beside weights.
 *
 * @param hidden channels of the states
 * @param epsilon of all norms
 * @param layers one for each
 * @param experts of the layers that have some
 */
record DecoderShape(
    int hidden,
    double epsilon,
    Norms norms,
    Attention attention,
    Activation activation,
    Vocabulary vocabulary,
    List<Layer> layers,
    Optional<Experts> experts) {
  /** A layer sees all earlier positions. */
  static final int ALL = Integer.MAX_VALUE;

  DecoderShape {
    layers = List.copyOf(layers);
  }

  /** Tokens up to which the rotary frequencies of all layers are known. */
  int longestWindow() {
    return layers.stream().mapToInt(layer -> layer.rotary().longest()).min().orElse(0);
  }

  /**
   * Embeddings and head.
   *
   * @param scale what embeddings are multiplied by
   * @param logitCap c in c tanh(logit / c); 0 for none
   * @param tied what {@code tie_word_embeddings} says; empty where it says nothing
   * @param beginning the token that all texts begin with where config.json names no other; empty
   *     where they begin with their own
   */
  record Vocabulary(double scale, double logitCap, Optional<Boolean> tied, OptionalInt beginning) {}

  /**
   * softmax(scale q k^T) v with grouped heads.
   *
   * @param queries heads
   * @param keyValues heads, each of them for {@code queries / keyValues} query heads
   * @param size channels of a head
   * @param cap c in c tanh(score / c); 0 for none
   */
  record Attention(int queries, int keyValues, int size, double scale, double cap) {
    int queryWidth() {
      return queries * size;
    }

    int keyWidth() {
      return keyValues * size;
    }

    int group() {
      return queries / keyValues;
    }
  }

  /**
   * One layer.
   *
   * @param window last positions that a query sees, its own among them; {@link #ALL} for all
   * @param sparse whether it has experts
   */
  record Layer(int window, RotaryFrequencies rotary, boolean sparse) {}

  /**
   * A mixture of experts.
   *
   * @param module its name after the layer's number
   * @param chosen experts that a token is sent to
   * @param normed whether the weights of the chosen ones are made to add up to 1
   * @param shared whether there is one that every token passes, behind a gate of its own
   */
  record Experts(
      String module,
      String gate,
      String up,
      String down,
      int count,
      int chosen,
      boolean normed,
      boolean shared) {
    /** Name of an expert's matrix after the layer's number. */
    String matrix(int expert, String name) {
      return module + ".experts." + expert + "." + name + ".weight";
    }
  }
}
