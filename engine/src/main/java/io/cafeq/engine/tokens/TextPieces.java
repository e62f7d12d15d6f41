package io.cafeq.engine.tokens;

import java.io.IOException;
import java.io.Reader;
import java.util.Optional;

/**
 * A text in pieces, so that making tokens of it takes memory for one of them, many times its
 * length. A text of no more than {@link #MOST_CHARACTERS} is one piece. A longer one is cut before
 * a line that begins with no white space, else before white space, since tokenizers split texts
 * there, too; anywhere only where there is neither. The text alone decides where. Borrows the
 * reader.
 *
 * <p>A tokenizer that puts a blank before a text puts one before each piece, which makes a token
 * more for each cut.
 */
public final class TextPieces {
  /** Characters (code points) of a piece. */
  public static final int MOST_CHARACTERS = 400_000;

  private final Reader reader;
  private final StringBuilder held = new StringBuilder();
  private final char[] buffer = new char[8192];
  private long unread;

  /** All of a text. */
  public TextPieces(Reader reader) {
    this(reader, Long.MAX_VALUE);
  }

  /**
   * @param characters that are read of it at most, those beyond the basic plane counted twice; half
   *     a one is left out
   */
  public TextPieces(Reader reader, long characters) {
    this.reader = reader;
    this.unread = characters;
  }

  /** Empty at the end. */
  Optional<String> next() throws IOException {
    fill();
    if (held.isEmpty()) {
      return Optional.empty();
    }
    int end = end();
    String piece = held.substring(0, end);
    held.delete(0, end);
    return Optional.of(piece);
  }

  /** Reads until more than a piece is there, or the rest. A character takes one or two places. */
  private void fill() throws IOException {
    while (unread > 0 && held.length() <= 2 * MOST_CHARACTERS) {
      int count = reader.read(buffer, 0, (int) Math.min(buffer.length, unread));
      if (count < 0) {
        unread = 0;
      } else {
        held.append(buffer, 0, count);
        unread -= count;
      }
    }
    if (unread == 0
        && !held.isEmpty()
        && Character.isHighSurrogate(held.charAt(held.length() - 1))) {
      held.setLength(held.length() - 1);
    }
  }

  private int end() {
    if (held.codePointCount(0, held.length()) <= MOST_CHARACTERS) {
      return held.length();
    }
    int most = held.offsetByCodePoints(0, MOST_CHARACTERS);
    for (int end = most; end > 0; end--) {
      if (held.charAt(end - 1) == '\n' && !Character.isWhitespace(held.charAt(end))) {
        return end;
      }
    }
    for (int end = most; end > 0; end--) {
      if (Character.isWhitespace(held.charAt(end))
          && !Character.isWhitespace(held.charAt(end - 1))) {
        return end;
      }
    }
    return most;
  }
}
