package io.cafeq.engine.forward;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.transform.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * Text that a model writes itself: a random first token, after the {@link BeginningToken} where
 * there is one, then each next one with the probability that the model gives it. An end of text
 * does not end a window.
 */
public final class SelfText {
  private SelfText() {}

  /**
   * The same on every run, whatever the memory. All weights are held as floats.
   *
   * @param windows texts to be written side by side
   * @param length tokens of each
   * @param memory native bytes that may be taken
   * @param special tokens that no text begins with at random
   * @throws io.cafeq.engine.failure.EngineException of kind USAGE where memory is too small or no
   *     forward pass is written for the model, STOPPED on request
   */
  public static List<int[]> write(
      ModelWeights weights,
      MatrixProducts products,
      int windows,
      int length,
      long seed,
      long memory,
      StopFlag stop,
      IntPredicate special) {
    List<SplittableRandom> randoms =
        IntStream.range(0, windows)
            .mapToObj(window -> new SplittableRandom(Seeds.of(seed, "", window, "self text")))
            .toList();
    BeginningToken beginning = ForwardModels.beginningToken(weights);
    int given = beginning.count() + 1;
    try (CachedPass pass = CachedPass.open(weights, products, windows, length, memory, stop)) {
      int[] ordinary = IntStream.range(0, pass.vocabulary()).filter(special.negate()).toArray();
      if (ordinary.length == 0) {
        throw new IllegalArgumentException("all " + pass.vocabulary() + " tokens are special");
      }
      List<int[]> texts = new ArrayList<>();
      randoms.forEach(
          random -> {
            int[] start = beginning.before(new int[] {ordinary[random.nextInt(ordinary.length)]});
            texts.add(Arrays.copyOf(start, length));
          });
      TokenDraw draw = new TokenDraw(pass.vocabulary());
      for (int position = 0; position + 1 < length; position++) {
        stop.check();
        int now = position;
        FloatMatrix logits = pass.step(texts.stream().mapToInt(text -> text[now]).toArray());
        for (int window = 0; window < windows && position + 1 >= given; window++) {
          texts.get(window)[position + 1] =
              draw.from(logits, window, randoms.get(window).nextDouble());
        }
      }
      return List.copyOf(texts);
    }
  }
}
