package io.cafeq.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Suggests the name that was probably meant. */
public final class Spelling {
  private Spelling() {}

  /** The candidate nearest to {@code word}, if it is near enough to be worth naming. */
  public static Optional<String> suggestion(String word, Collection<String> candidates) {
    String plain = normalised(word);
    return candidates.stream()
        .filter(
            candidate -> distance(plain, normalised(candidate)) <= Math.max(2, word.length() / 3))
        .min(
            Comparator.<String>comparingInt(candidate -> distance(plain, normalised(candidate)))
                .thenComparing(Comparator.naturalOrder()));
  }

  /** Insertions, deletions and substitutions that turn {@code from} into {@code to}. */
  public static int distance(String from, String to) {
    return lastRow(from, to, false)[to.length()];
  }

  /**
   * Insertions, deletions and substitutions that turn {@code part} into the most similar piece of
   * {@code whole}.
   */
  public static int distanceWithin(String part, String whole) {
    int least = Integer.MAX_VALUE;
    for (int distance : lastRow(part, whole, true)) {
      least = Math.min(least, distance);
    }
    return least;
  }

  private static int[] lastRow(String from, String to, boolean anywhere) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j <= to.length() && !anywhere; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int substituted = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row;
  }

  /** maxMemory, max_memory and MAX-MEMORY are the same word. */
  private static String normalised(String word) {
    StringBuilder plain = new StringBuilder();
    for (char c : word.toCharArray()) {
      if (Character.isLetterOrDigit(c) || c == '.') {
        plain.append(Character.toLowerCase(c));
      }
    }
    return plain.toString();
  }
}
