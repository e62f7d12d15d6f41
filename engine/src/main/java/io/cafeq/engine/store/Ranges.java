package io.cafeq.engine.store;

/** Checks ranges that are to be read. */
public final class Ranges {
  private Ranges() {}

  /**
   * Throws with kind CHECKPOINT where the range goes beyond the end of the source, an
   * IllegalArgumentException where it begins before its start.
   */
  public static void require(ByteSource source, long position, int count) {
    if (position < 0) {
      throw new IllegalArgumentException("position " + position);
    }
    if (position > source.size() - count) {
      throw StoreException.checkpoint(
          source.place(),
          "the file has "
              + source.size()
              + " bytes, but "
              + count
              + " from byte "
              + position
              + " on were asked for",
          "Download or copy the file again.");
    }
  }
}
