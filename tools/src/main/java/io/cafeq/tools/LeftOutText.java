package io.cafeq.tools;

import io.cafeq.engine.checkpoint.LeftOut;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** Describes the files of a checkpoint that are not copied, with the reasons. */
final class LeftOutText {
  private LeftOutText() {}

  /** From the path in the checkpoint to the reason. */
  static SortedMap<String, String> reasons(List<LeftOut> files) {
    SortedMap<String, String> reasons = new TreeMap<>();
    files.forEach(file -> reasons.put(file.name(), file.reason().text()));
    return Collections.unmodifiableSortedMap(reasons);
  }

  /** Grouped by reason: {@code a.bin, b.gguf (other weights); .git (hidden)}. */
  static String of(SortedMap<String, String> reasons) {
    SortedMap<String, List<String>> groups = new TreeMap<>();
    reasons.forEach(
        (path, reason) -> groups.computeIfAbsent(reason, key -> new ArrayList<>()).add(path));
    List<String> parts = new ArrayList<>();
    groups.forEach((reason, paths) -> parts.add(String.join(", ", paths) + " (" + reason + ")"));
    return parts.isEmpty() ? "nothing" : String.join("; ", parts);
  }
}
