package io.cafeq.tools;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * Chooses rows, one choice per factor, such that every two choices of different factors that may
 * meet do so in at least one row. Most faults of options show with two of them, and the rows are
 * far fewer than all combinations. A seed gives the same rows everywhere.
 */
final class Pairwise {
  private static final int CANDIDATES = 30;

  private final SortedMap<String, List<String>> factors;
  private final UnaryOperator<SortedMap<String, String>> repair;
  private final Random random;

  /** Two choices that are to meet. */
  private record Pair(String factor, String choice, String otherFactor, String otherChoice) {
    boolean meetsIn(Map<String, String> row) {
      return choice.equals(row.get(factor)) && otherChoice.equals(row.get(otherFactor));
    }
  }

  private Pairwise(
      Map<String, List<String>> factors,
      UnaryOperator<SortedMap<String, String>> repair,
      long seed) {
    this.factors = new TreeMap<>(factors);
    this.repair = repair;
    random = new Random(seed);
  }

  /**
   * Returns the rows.
   *
   * @param repair changes choices that a row may not have beside its others
   */
  static List<SortedMap<String, String>> rows(
      Map<String, List<String>> factors,
      UnaryOperator<SortedMap<String, String>> repair,
      long seed) {
    return new Pairwise(factors, repair, seed).rows();
  }

  private List<SortedMap<String, String>> rows() {
    Set<Pair> open = pairs();
    List<SortedMap<String, String>> rows = new ArrayList<>();
    for (Iterator<Pair> next = open.iterator(); next.hasNext(); next = open.iterator()) {
      Pair pair = next.next();
      SortedMap<String, String> best = row(pair);
      for (int i = 1; i < CANDIDATES; i++) {
        SortedMap<String, String> candidate = row(pair);
        if (met(open, candidate) > met(open, best)) {
          best = candidate;
        }
      }
      // A pair that repairing parts may not meet in any row.
      open.remove(pair);
      if (pair.meetsIn(best)) {
        rows.add(best);
        SortedMap<String, String> row = best;
        open.removeIf(other -> other.meetsIn(row));
      }
    }
    return rows;
  }

  private Set<Pair> pairs() {
    Set<Pair> pairs = new LinkedHashSet<>();
    factors.forEach(
        (factor, choices) ->
            factors
                .headMap(factor)
                .forEach(
                    (other, others) ->
                        choices.forEach(
                            choice ->
                                others.forEach(
                                    otherChoice ->
                                        pairs.add(new Pair(factor, choice, other, otherChoice))))));
    return pairs;
  }

  private SortedMap<String, String> row(Pair pair) {
    SortedMap<String, String> row = new TreeMap<>();
    factors.forEach(
        (factor, choices) -> row.put(factor, choices.get(random.nextInt(choices.size()))));
    row.put(pair.factor(), pair.choice());
    row.put(pair.otherFactor(), pair.otherChoice());
    return repair.apply(row);
  }

  private static long met(Set<Pair> open, Map<String, String> row) {
    return open.stream().filter(pair -> pair.meetsIn(row)).count();
  }
}
