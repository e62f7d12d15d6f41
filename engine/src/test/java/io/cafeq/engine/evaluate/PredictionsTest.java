package io.cafeq.engine.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** One pass over slabs against sums over the whole vocabulary. */
class PredictionsTest {
  private static final int PLACES = 5;
  private static final int VOCABULARY = 20_011;
  private static final int SLAB = 6_000;

  private final float[][] logits = logits(1);
  private final float[][] reference = logits(2);
  private final int[] targets = {0, 19_999, 20_010, 6_000, 5_999};

  /** Large and growing, so that the largest so far changes often. */
  private static float[][] logits(long seed) {
    Random random = new Random(seed);
    float[][] logits = new float[PLACES][VOCABULARY];
    for (int place = 0; place < PLACES; place++) {
      for (int token = 0; token < VOCABULARY; token++) {
        logits[place][token] = (float) (random.nextGaussian() * 4 + 20.0 * token / VOCABULARY);
      }
    }
    logits[4] = seed == 1 ? logits[4] : logits(1)[4];
    return logits;
  }

  @Test
  void comparesBothModels() {
    Predictions predictions = new Predictions(targets);
    try (Arena arena = Arena.ofConfined()) {
      for (int first = 0; first < VOCABULARY; first += SLAB) {
        predictions.add(first, slab(arena, logits, first), slab(arena, reference, first));
      }
    }
    for (int place = 0; place < PLACES; place++) {
      double[] q = logSoftmax(logits[place]);
      double[] p = logSoftmax(reference[place]);
      double divergence = 0;
      for (int token = 0; token < VOCABULARY; token++) {
        divergence += Math.exp(p[token]) * (p[token] - q[token]);
      }
      assertThat(predictions.logLikelihood(place)).isCloseTo(q[targets[place]], within(1e-6));
      assertThat(predictions.referenceLogLikelihood(place))
          .isCloseTo(p[targets[place]], within(1e-6));
      assertThat(predictions.divergence(place)).isCloseTo(divergence, within(1e-6)).isNotNegative();
      assertThat(predictions.agree(place))
          .isEqualTo(largest(logits[place]) == largest(reference[place]));
    }
    assertThat(predictions.divergence(4)).isCloseTo(0, within(1e-9));
    assertThat(predictions.agree(4)).isTrue();
    assertThat(predictions.divergence(0)).isGreaterThan(0.1);
  }

  @Test
  void oneModelByItselfIsTheSame() {
    Predictions predictions = new Predictions(targets);
    try (Arena arena = Arena.ofConfined()) {
      for (int first = 0; first < VOCABULARY; first += SLAB) {
        predictions.add(first, slab(arena, logits, first));
      }
    }
    for (int place = 0; place < PLACES; place++) {
      assertThat(predictions.logLikelihood(place))
          .isCloseTo(logSoftmax(logits[place])[targets[place]], within(1e-6));
    }
  }

  @Test
  void brokenLogitsShow() {
    Predictions predictions = new Predictions(new int[] {1});
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix slab = FloatMatrix.allocate(arena, 1, 3);
      slab.set(0, 2, Float.NaN);
      predictions.add(0, slab);
    }
    assertThat(predictions.logLikelihood(0)).isNaN();
  }

  @Test
  void aTargetThatNoSlabHasIsNoLogitOfZero() {
    Predictions predictions = new Predictions(new int[] {3});
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix slab = FloatMatrix.allocate(arena, 1, 3);
      predictions.add(0, slab, slab);
    }
    assertThat(predictions.logLikelihood(0)).isNaN();
    assertThat(predictions.referenceLogLikelihood(0)).isNaN();
  }

  private static FloatMatrix slab(Arena arena, float[][] logits, int first) {
    int count = Math.min(SLAB, VOCABULARY - first);
    FloatMatrix slab = FloatMatrix.allocate(arena, PLACES, count);
    for (int place = 0; place < PLACES; place++) {
      for (int i = 0; i < count; i++) {
        slab.set(place, i, logits[place][first + i]);
      }
    }
    return slab;
  }

  private static double[] logSoftmax(float[] logits) {
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit);
    }
    double[] logs = new double[logits.length];
    for (int i = 0; i < logs.length; i++) {
      logs[i] = logits[i] - Math.log(sum);
    }
    return logs;
  }

  private static int largest(float[] values) {
    int found = 0;
    for (int i = 0; i < values.length; i++) {
      found = values[i] > values[found] ? i : found;
    }
    return found;
  }
}
