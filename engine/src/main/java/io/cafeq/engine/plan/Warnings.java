package io.cafeq.engine.plan;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Gathers warnings about single tensors into one sentence per kind, in the order of first mention.
 */
final class Warnings {
  private final Map<String, List<String>> tensors = new LinkedHashMap<>();

  /** A sentence about the whole checkpoint. */
  void add(String sentence) {
    tensors.putIfAbsent(sentence, new ArrayList<>());
  }

  /**
   * @param sentence says of one tensor what it would say of many, and ends without a full stop
   */
  void add(String sentence, String tensor) {
    tensors.computeIfAbsent(sentence, key -> new ArrayList<>()).add(tensor);
  }

  List<String> sentences() {
    return tensors.entrySet().stream()
        .map(entry -> sentence(entry.getKey(), entry.getValue()))
        .toList();
  }

  private static String sentence(String text, List<String> names) {
    return switch (names.size()) {
      case 0 -> text;
      case 1 -> "%s (%s).".formatted(text, names.getFirst());
      default -> "%s (%d tensors, such as %s).".formatted(text, names.size(), names.getFirst());
    };
  }
}
