package io.cafeq.engine.tokens;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.model.Shared;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where long texts are cut, and that their tokens do not show it. */
class TextPiecesTest {
  private static final int MOST = TextPieces.MOST_CHARACTERS;
  private static final String SMILE = "\ud83d\ude00";

  @Test
  void aTextThatIsShortEnoughStaysWhole() {
    assertThat(pieces("")).isEmpty();
    String text = "a line\nb ".repeat(MOST / 9);
    assertThat(pieces(text)).containsExactly(text);
    String wide = SMILE.repeat(MOST);
    assertThat(pieces(wide)).containsExactly(wide);
    assertThat(pieces(wide + "a")).containsExactly(wide, "a");
  }

  @Test
  void aLongOneIsCutBeforeALineElseBeforeWhiteSpaceElseAnywhere() {
    String lines = "one two\nthree\n  four".repeat(MOST / 10);
    assertThat(pieces(lines))
        .hasSize(2 + 1)
        .allSatisfy(piece -> assertThat(piece.length()).isLessThanOrEqualTo(MOST));
    assertThat(pieces(lines).subList(1, 3))
        .allSatisfy(piece -> assertThat(piece).startsWith("three\n"));
    String words = "seven  ".repeat(MOST / 4);
    assertThat(pieces(words).getFirst()).endsWith("seven");
    assertThat(pieces(words).get(1)).startsWith("  seven");
    assertThat(pieces("x".repeat(2 * MOST + 7)))
        .extracting(String::length)
        .containsExactly(MOST, MOST, 7);
    for (String text : List.of(lines, words)) {
      assertThat(String.join("", pieces(text))).isEqualTo(text);
    }
  }

  @Test
  void noMoreIsReadThanAsked() {
    assertThat(pieces("abcdef", 4)).containsExactly("abcd");
    assertThat(pieces("abc" + SMILE, 4)).containsExactly("abc");
    assertThat(pieces(SMILE, 1)).isEmpty();
    assertThat(pieces("ab\n".repeat(MOST), 2L * MOST))
        .extracting(String::length)
        .containsExactly(MOST - 1, MOST - 1, 2);
  }

  /** Its tokenizer puts a blank before each piece, so a cut adds a token or two. */
  @ParameterizedTest
  @ValueSource(strings = {"tinystories.txt", "wikitext2-test-tokenised.txt"})
  void tokensAreThoseOfTheWholeTextButAtTheCuts(String name) throws IOException {
    Path model = Shared.require("data/tinystories-656k");
    Path file = Shared.require("data/text/" + name);
    try (TextTokenizer tokenizer = TextTokenizer.open(model)) {
      int[] whole = tokenizer.encode(Files.readString(file));
      int[] found = tokenizer.beginning(file, Integer.MAX_VALUE);
      List<String> pieces = pieces(Files.readString(file));
      int first = tokenizer.encode(pieces.getFirst()).length;
      int cuts = pieces.size() - 1;
      assertThat(cuts).isPositive();
      assertThat(Arrays.mismatch(found, whole)).isGreaterThanOrEqualTo(first - 2);
      assertThat(found.length - whole.length).isBetween(0, 2 * cuts);
      assertThat(Arrays.equals(end(found), end(whole))).isTrue();
      assertThat(
              Arrays.equals(tokenizer.beginning(file, first - 2), Arrays.copyOf(whole, first - 2)))
          .isTrue();
    }
  }

  private static int[] end(int[] tokens) {
    return Arrays.copyOfRange(tokens, tokens.length - 1000, tokens.length);
  }

  private static List<String> pieces(String text) {
    return pieces(text, Long.MAX_VALUE);
  }

  private static List<String> pieces(String text, long characters) {
    TextPieces pieces = new TextPieces(new StringReader(text), characters);
    List<String> all = new ArrayList<>();
    try {
      for (Optional<String> piece = pieces.next(); piece.isPresent(); piece = pieces.next()) {
        all.add(piece.get());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return all;
  }
}
