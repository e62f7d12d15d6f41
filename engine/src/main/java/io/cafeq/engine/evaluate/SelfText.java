package io.cafeq.engine.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.transform.Seeds;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * Text that a model writes itself: a random first token, or the {@link BeginningToken} where the model has one, then each next
 * one with the probability that the model gives it. An end of text does not end a window.
 */
public final class SelfText {
  private static final List<String> SPECIAL =
      List.of("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id");

  private SelfText() {}

  /** As the other; special are the tokens that config.json names. */
  public static List<int[]> write(
      ModelWeights weights, MatrixProducts products, int windows, int length, long seed, long memory, StopFlag stop) {
    Set<Integer> special = special(weights);
    return write(weights, products, windows, length, seed, memory, stop, special::contains);
  }

  /**
   * The same on every run, whatever the memory. All weights are held as floats.
   *
   * @param windows texts to be written side by side
   * @param length tokens of each
   * @param memory native bytes that may be taken
   * @param special tokens that no text begins with at random
   * @throws io.cafeq.engine.failure.EngineException of kind USAGE where memory is too small or no forward pass is
   *     written for the model, STOPPED on request
   */
  public static List<int[]> write(
      ModelWeights weights, MatrixProducts products, int windows, int length, long seed, long memory, StopFlag stop,
      IntPredicate special) {
    List<SplittableRandom> randoms = IntStream.range(0, windows)
        .mapToObj(window -> new SplittableRandom(Seeds.of(seed, "", window, "self text")))
        .toList();
    OptionalInt beginning = BeginningToken.of(weights).id();
    try (CachedPass pass = CachedPass.open(weights, products, windows, length, memory, stop)) {
      int[] ordinary = IntStream.range(0, pass.vocabulary()).filter(special.negate()).toArray();
      if (ordinary.length == 0) {
        throw new IllegalArgumentException("all " + pass.vocabulary() + " tokens are special");
      }
      List<int[]> texts = new ArrayList<>();
      randoms.forEach(random -> {
        int[] text = new int[length];
        int drawn = ordinary[random.nextInt(ordinary.length)];
        text[0] = beginning.orElse(drawn);
        texts.add(text);
      });
      TokenDraw draw = new TokenDraw(pass.vocabulary());
      for (int position = 0; position + 1 < length; position++) {
        stop.check();
        int now = position;
        FloatMatrix logits = pass.step(texts.stream().mapToInt(text -> text[now]).toArray());
        for (int window = 0; window < windows; window++) {
          texts.get(window)[position + 1] = draw.from(logits, window, randoms.get(window).nextDouble());
        }
      }
      return List.copyOf(texts);
    }
  }

  private static Set<Integer> special(ModelWeights weights) {
    Set<Integer> special = new HashSet<>();
    for (String key : SPECIAL) {
      for (JsonNode node : List.of(weights.config(), weights.config().path("text_config"))) {
        // Several ends of text stand in a list.
        node.path(key).forEach(token -> special.add(token.asInt(-1)));
        special.add(node.path(key).asInt(-1));
      }
    }
    return special;
  }
}
