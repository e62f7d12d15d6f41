package io.cafeq.engine.grid;

/**
 * Rows whose lanes are one after the other, and lanes of which entry e of all is one array; moved a
 * few at a time.
 */
final class LaneLayout {
  private static final int TOGETHER = 16;

  private LaneLayout() {}

  static void toLanes(float[] rows, float[][] entries, int lanes) {
    int length = entries.length;
    for (int first = 0; first < lanes; first += TOGETHER) {
      int end = Math.min(lanes, first + TOGETHER);
      for (int e = 0; e < length; e++) {
        float[] entry = entries[e];
        for (int l = first, from = first * length + e; l < end; l++, from += length) {
          entry[l] = rows[from];
        }
      }
    }
  }

  static void toRows(float[][] entries, float[] rows, int lanes) {
    int length = entries.length;
    for (int first = 0; first < length; first += TOGETHER) {
      int end = Math.min(length, first + TOGETHER);
      for (int l = 0; l < lanes; l++) {
        for (int e = first, to = l * length + first; e < end; e++, to++) {
          rows[to] = entries[e][l];
        }
      }
    }
  }

  static void toRows(byte[][] entries, byte[] rows, int lanes) {
    int length = entries.length;
    for (int first = 0; first < length; first += TOGETHER) {
      int end = Math.min(length, first + TOGETHER);
      for (int l = 0; l < lanes; l++) {
        for (int e = first, to = l * length + first; e < end; e++, to++) {
          rows[to] = entries[e][l];
        }
      }
    }
  }
}
