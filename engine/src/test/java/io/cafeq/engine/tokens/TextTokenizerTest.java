package io.cafeq.engine.tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.model.Shared;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextTokenizerTest {
  @TempDir Path folder;

  @Test
  void encodesWithoutAddingTruncatingOrPadding() throws IOException {
    Tokenizers.write(folder);
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      assertThat(tokenizer.encode("ab")).containsExactly(3);
      assertThat(tokenizer.encode("ba abc")).containsExactly(1, 0, 4, 3, 2);
      assertThat(tokenizer.encode("a<end>b")).containsExactly(0, 6, 1);
      assertThat(tokenizer.encode("")).isEmpty();
      assertThat(tokenizer.vocabulary()).isEqualTo(12);
      assertThat(tokenizer.specialIds()).containsExactly(6, 11);
    }
  }

  @Test
  void countsCharactersBeyondTheBasicPlaneOnce() throws IOException {
    Tokenizers.write(folder);
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      assertThat(tokenizer.encode("a\ud83d\ude00b\u0000c")).containsExactly(0, 5, 1, 5, 2);
    }
  }

  @Test
  void beginsATextAsFarAsAskedAndNotFurther() throws IOException {
    Tokenizers.write(folder);
    String text = "c".repeat(2 * TextPieces.MOST_CHARACTERS + 7);
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      Path file = Files.writeString(folder.resolve("text.txt"), text);
      assertThat(tokenizer.beginning(file, 10)).hasSize(10);
      assertThat(tokenizer.beginning(file, TextPieces.MOST_CHARACTERS + 1))
          .hasSize(TextPieces.MOST_CHARACTERS + 1);
      assertThat(tokenizer.beginning(file, Integer.MAX_VALUE)).hasSize(text.length());
      Files.write(file, new byte[] {'a', (byte) 0xff});
      assertThatThrownBy(() -> tokenizer.beginning(file, 1))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("UTF-8");
    }
  }

  @Test
  void readsNoMoreOfATextThanItTakes() throws IOException {
    Tokenizers.write(folder);
    try (TextTokenizer tokenizer = TextTokenizer.open(folder);
        EndlessText text = new EndlessText()) {
      assertThat(tokenizer.beginning(new TextPieces(text), 1_000_000))
          .hasSize(1_000_000)
          .containsOnly(0);
      assertThat(text.read).isLessThan(1_000_000L + 4L * TextPieces.MOST_CHARACTERS);
    }
  }

  /** Longer than any array. */
  private static final class EndlessText extends Reader {
    private long read;

    @Override
    public int read(char[] buffer, int offset, int count) {
      Arrays.fill(buffer, offset, offset + count, 'a');
      read += count;
      return count;
    }

    @Override
    public void close() {}
  }

  @Test
  void saysWhatToDoWithoutATokenizer() {
    assertThatThrownBy(() -> TextTokenizer.open(folder))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
              assertThat(e.getMessage()).contains(folder.toString(), "tokenizer.json");
              assertThat(e.remedy()).contains("tokenizer.json");
            });
  }

  @Test
  void refusesWhatIsNoTokenizer() throws IOException {
    for (String text :
        new String[] {
          "{",
          "[]",
          "{\"model\": {\"vocab\": {\"a\": 0}}}",
          "{\"model\": {\"vocab\": {\"a\": \"b\"}}}"
        }) {
      Files.writeString(folder.resolve("tokenizer.json"), text);
      assertThatThrownBy(() -> TextTokenizer.open(folder))
          .as(text)
          .isInstanceOfSatisfying(
              EngineException.class,
              e -> {
                assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
                assertThat(e.getMessage()).contains("tokenizer.json");
              });
    }
  }

  @Test
  void knowsThePublishedTokenizer() {
    Path model = Shared.require("data/tinystories-656k");
    try (TextTokenizer tokenizer = TextTokenizer.open(model)) {
      assertThat(tokenizer.vocabulary()).isEqualTo(2048);
      assertThat(tokenizer.encode("Once upon a time, there was a little girl."))
          .containsExactly(80, 147, 201, 282, 215, 286, 1890, 10);
    }
  }
}
