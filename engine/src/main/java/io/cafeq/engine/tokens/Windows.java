package io.cafeq.engine.tokens;

import java.util.List;

/** Windows of tokens that a model runs over: ids, in order, each window a text by itself. */
public final class Windows {
  private Windows() {}

  /** Tokens of the longest one; 0 where there are none. */
  public static int longest(List<int[]> windows) {
    return windows.stream().mapToInt(window -> window.length).max().orElse(0);
  }
}
