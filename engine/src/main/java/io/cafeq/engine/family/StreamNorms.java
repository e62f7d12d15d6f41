package io.cafeq.engine.family;

import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The full names of a layer's norm weights between the residual stream and what reads it or adds to
 * it; a part that has no norm of its own, or whose name is not known, has none here.
 *
 * @param beforeAttention of what queries, keys and values read
 * @param afterAttention of what the attention adds to the stream
 * @param beforeFeedForward of what gate and up read; the attention's where the two run in parallel
 * @param afterFeedForward of what the feed-forward part adds to the stream
 * @param storedMinusOne whether files hold w - 1
 */
public record StreamNorms(
    Optional<String> beforeAttention,
    Optional<String> afterAttention,
    Optional<String> beforeFeedForward,
    Optional<String> afterFeedForward,
    boolean storedMinusOne) {
  /** Nothing is known. */
  public static final StreamNorms NONE =
      new StreamNorms(
          Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), false);

  private static final String AFTER_ATTENTION = "post_attention_layernorm.weight";
  private static final String BEFORE_FEED_FORWARD = "pre_feedforward_layernorm.weight";
  private static final List<String> BEFORE_ATTENTION =
      List.of("input_layernorm.weight", "ln_1.weight");
  private static final List<String> SECOND = List.of(AFTER_ATTENTION, "ln_2.weight");

  /**
   * @param names what follows the prefix in the names of the layer's tensors
   */
  static StreamNorms of(Set<String> names, String prefix, boolean storedMinusOne) {
    Optional<String> first = BEFORE_ATTENTION.stream().filter(names::contains).findFirst();
    boolean sandwich = names.contains(BEFORE_FEED_FORWARD);
    // in most models the norm of this name is before the feed-forward part, with a further one
    // there, or with none before the attention, it is what its name says
    boolean after = names.contains(AFTER_ATTENTION) && (sandwich || first.isEmpty());
    Optional<String> second =
        sandwich
            ? Optional.of(BEFORE_FEED_FORWARD)
            : after ? Optional.empty() : SECOND.stream().filter(names::contains).findFirst();
    Optional<String> last =
        Optional.of("post_feedforward_layernorm.weight").filter(names::contains);
    return new StreamNorms(
        first.map(prefix::concat),
        Optional.of(AFTER_ATTENTION).filter(name -> after).map(prefix::concat),
        second.or(() -> after ? Optional.empty() : first).map(prefix::concat),
        last.map(prefix::concat),
        storedMinusOne);
  }
}
