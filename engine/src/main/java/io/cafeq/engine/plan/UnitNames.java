package io.cafeq.engine.plan;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Makes file names out of tensor names: readable where that is safe, with a short hash of the full
 * name where it is not or where two would be the same file, on file systems that ignore case too.
 */
final class UnitNames {
  private static final int LONGEST = 120;
  private static final int[] HASH_DIGITS = {0, 8, 64};

  private UnitNames() {}

  /**
   * One ID for each name, in order.
   *
   * @param names what the units would be called, each with a text that tells it from all others
   */
  static List<String> ids(List<Map.Entry<String, String>> names) {
    int[] level = new int[names.size()];
    List<String> ids =
        new ArrayList<>(names.stream().map(name -> id(name.getKey(), name.getValue(), 0)).toList());
    for (int round = 1; round < HASH_DIGITS.length; round++) {
      Map<String, List<Integer>> sameFile = new HashMap<>();
      for (int i = 0; i < ids.size(); i++) {
        sameFile
            .computeIfAbsent(ids.get(i).toLowerCase(Locale.ROOT), key -> new ArrayList<>())
            .add(i);
      }
      sameFile.values().stream()
          .filter(clash -> clash.size() > 1)
          .flatMap(List::stream)
          .forEach(
              i -> {
                level[i]++;
                ids.set(
                    i, id(names.get(i).getKey(), names.get(i).getValue(), HASH_DIGITS[level[i]]));
              });
    }
    return ids;
  }

  private static String id(String readable, String unique, int digits) {
    String safe = readable.replaceAll("[^A-Za-z0-9._-]", "_").replaceFirst("^[.-]", "_");
    if (safe.isEmpty()) {
      safe = "_";
    }
    boolean changed = !safe.equals(readable) || safe.length() > LONGEST;
    int length = Math.max(digits, changed ? HASH_DIGITS[1] : 0);
    String start = safe.substring(0, Math.min(safe.length(), LONGEST));
    return length == 0 ? start : start + "-" + hash(unique).substring(0, length);
  }

  private static String hash(String text) {
    try {
      // Character by character: an encoder would turn all unpaired surrogates into the same
      // replacement.
      ByteBuffer characters = ByteBuffer.allocate(2 * text.length());
      text.chars().forEach(c -> characters.putChar((char) c));
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(characters.array()));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }
}
