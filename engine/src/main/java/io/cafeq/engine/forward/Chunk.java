package io.cafeq.engine.forward;

import io.cafeq.engine.tokens.Windows;
import java.util.ArrayList;
import java.util.List;

/**
 * Consecutive whole windows that go through a layer together. How many depends on the longest
 * window alone, never on memory, because the bits of products depend on their shapes.
 *
 * @param firstWindow of all windows
 * @param firstToken of all windows' tokens
 * @param lengths tokens of its windows
 */
record Chunk(int firstWindow, int firstToken, List<Integer> lengths) {
  private static final int USUAL_TOKENS = 512;

  Chunk {
    lengths = List.copyOf(lengths);
  }

  static List<Chunk> of(List<int[]> windows) {
    int together = windowsTogether(Windows.longest(windows));
    List<Chunk> chunks = new ArrayList<>();
    int firstToken = 0;
    for (int first = 0; first < windows.size(); first += together) {
      List<Integer> lengths =
          windows.subList(first, Math.min(windows.size(), first + together)).stream()
              .map(window -> window.length)
              .toList();
      Chunk chunk = new Chunk(first, firstToken, lengths);
      chunks.add(chunk);
      firstToken = Math.addExact(firstToken, chunk.tokens());
    }
    return chunks;
  }

  /** Most tokens of a chunk of windows of at most that length. */
  static int mostTokens(int windowLength) {
    return Math.multiplyExact(windowsTogether(windowLength), windowLength);
  }

  private static int windowsTogether(int windowLength) {
    return Math.max(1, USUAL_TOKENS / windowLength);
  }

  int tokens() {
    return lengths.stream().mapToInt(Integer::intValue).sum();
  }

  /** The position of one of its tokens within its window. */
  int position(int token) {
    int position = token;
    for (int length : lengths) {
      if (position < length) {
        return position;
      }
      position -= length;
    }
    throw new IndexOutOfBoundsException("token " + token + " of " + tokens());
  }
}
