package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Digests;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The tokens that go through the model.
 *
 * @param windows of ids that see one another; all of one length except perhaps the last. Not to be
 *     changed
 * @param textSha256 of the text that they are from; empty where they are from none
 */
public record StatisticsTokens(List<int[]> windows, String textSha256) {
  /** No tokens at all: those of an estimate from the weights. */
  public static final StatisticsTokens NONE = new StatisticsTokens(List.of(), "");

  public StatisticsTokens {
    windows = List.copyOf(windows);
  }

  /** Cuts tokens in their order. */
  static List<int[]> cut(int[] tokens, int window) {
    List<int[]> windows = new ArrayList<>();
    for (int first = 0; first < tokens.length; first += window) {
      windows.add(Arrays.copyOfRange(tokens, first, Math.min(tokens.length, first + window)));
    }
    return windows;
  }

  /** All windows together. */
  public long count() {
    return windows.stream().mapToLong(window -> window.length).sum();
  }

  /** Of the lengths and the ids of all windows, as little-endian integers of 32 bits. */
  public String sha256() {
    MessageDigest digest = Digests.sha256();
    for (int[] window : windows) {
      ByteBuffer bytes = ByteBuffer.allocate(4 + 4 * window.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.putInt(window.length);
      for (int token : window) {
        bytes.putInt(token);
      }
      digest.update(bytes.flip());
    }
    return Digests.hex(digest);
  }
}
