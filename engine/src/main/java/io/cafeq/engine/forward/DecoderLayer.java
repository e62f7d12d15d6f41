package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.Optional;

/**
 * One layer, ready to be applied: its norms and biases are read, its matrices stream by. Not
 * thread-safe.
 */
final class DecoderLayer {
  private final RootMeanSquare beforeAttention;
  private final Optional<RootMeanSquare> afterAttention;
  private final RootMeanSquare beforeFeedForward;
  private final Optional<RootMeanSquare> afterFeedForward;
  private final AttentionPart attention;
  private final FeedForwardPart feedForward;

  private DecoderLayer(
      Decoder decoder, int number, AttentionPart attention, FeedForwardPart feedForward) {
    String prefix = decoder.names().layer(number);
    int hidden = decoder.shape().hidden();
    boolean sandwich = decoder.shape().norms().afterParts();
    beforeAttention = decoder.norm(prefix + "input_layernorm.weight", hidden);
    RootMeanSquare between = decoder.norm(prefix + "post_attention_layernorm.weight", hidden);
    afterAttention = sandwich ? Optional.of(between) : Optional.empty();
    beforeFeedForward =
        sandwich ? decoder.norm(prefix + "pre_feedforward_layernorm.weight", hidden) : between;
    afterFeedForward =
        sandwich
            ? Optional.of(decoder.norm(prefix + "post_feedforward_layernorm.weight", hidden))
            : Optional.empty();
    this.attention = attention;
    this.feedForward = feedForward;
  }

  /**
   * @param rotary for the layer's positions
   */
  static DecoderLayer read(Decoder decoder, int number, RotaryTable rotary) {
    return new DecoderLayer(
        decoder,
        number,
        AttentionPart.read(decoder, number, rotary),
        FeedForwardPart.read(decoder, number));
  }

  /**
   * Adds attention and feed-forward part to the states.
   *
   * @param states [tokens, hidden], changed
   */
  void apply(FloatMatrix states, Attending attending, LayerMemory memory, ObservedInputs observed) {
    Workspace workspace = memory.workspace();
    long mark = workspace.mark();
    FloatMatrix normed = workspace.matrix(states.rows(), states.columns());
    FloatMatrix part = workspace.matrix(states.rows(), states.columns());
    beforeAttention.apply(states, normed);
    attention.apply(normed, part, attending, memory, observed);
    add(states, part, afterAttention);
    beforeFeedForward.apply(states, normed);
    feedForward.apply(normed, part, memory, observed);
    add(states, part, afterFeedForward);
    workspace.release(mark);
  }

  private static void add(FloatMatrix states, FloatMatrix part, Optional<RootMeanSquare> norm) {
    norm.ifPresent(after -> after.apply(part, part));
    Rows.add(states, part);
  }
}
