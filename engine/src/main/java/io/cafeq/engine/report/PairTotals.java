package io.cafeq.engine.report;

import io.cafeq.engine.receipt.PairFigures;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * All pairs that are there. Each error is the root of the mean squared relative PQE, a pair
 * counting by the weights of both its matrices, over the pairs of which it was measured: null where
 * there are none. {@link PairEntry} says what each is.
 *
 * @param count pairs
 * @param countLearned those of which {@code learned} was measured
 */
public record PairTotals(
    int count,
    int countLearned,
    double result,
    @Nullable Double none,
    @Nullable Double rotation,
    @Nullable Double learned) {
  public PairTotals {
    Figures.requireFinite("result", result);
    Figures.requireFiniteIfThere("none", none);
    Figures.requireFiniteIfThere("rotation", rotation);
    Figures.requireFiniteIfThere("learned", learned);
  }

  /** Null where there are no pairs. Sums run in the order given. */
  static @Nullable PairTotals of(List<PairFigures> pairs) {
    Double result = mean(pairs, PairFigures::result);
    return result == null
        ? null
        : new PairTotals(
            pairs.size(),
            Math.toIntExact(pairs.stream().filter(pair -> pair.learned() != null).count()),
            result,
            mean(pairs, PairFigures::plainClipped),
            mean(pairs, PairFigures::rotation),
            mean(pairs, PairFigures::learned));
  }

  private static @Nullable Double mean(
      List<PairFigures> pairs, Function<PairFigures, @Nullable Double> kind) {
    double sum = 0;
    long weights = 0;
    for (PairFigures pair : pairs) {
      Double error = kind.apply(pair);
      if (error != null) {
        sum += error * error * pair.weights();
        weights += pair.weights();
      }
    }
    return weights == 0 ? null : (Double) Math.sqrt(sum / weights);
  }
}
