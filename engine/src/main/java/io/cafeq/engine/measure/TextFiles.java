package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.tokens.TextPieces;
import io.cafeq.engine.tokens.TextTokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** Texts that become tokens: the one that comes with the program, and those of users. */
final class TextFiles {
  private static final String BUILT_IN = "/io/cafeq/engine/evaluate/text.txt";
  private static final String REMEDY =
      "Give --statistics file: and a UTF-8 text, or --statistics text for the built-in one.";

  private TextFiles() {}

  /**
   * Tokens of the beginning of a user's text. Throws with kind USAGE where there is none or it is
   * not UTF-8.
   */
  static int[] tokens(Path file, long characters, TextTokenizer tokenizer) {
    require(file);
    try (Reader reader = Files.newBufferedReader(file)) {
      return tokenizer.beginning(new TextPieces(reader, characters), Integer.MAX_VALUE);
    } catch (CharacterCodingException e) {
      throw new EngineException(FailureKind.USAGE, file + ": is not a UTF-8 text", REMEDY, e);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  /** Throws with kind USAGE where there is none. */
  static void require(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new EngineException(
          FailureKind.USAGE,
          file.toAbsolutePath() + ": there is no such text for statistics",
          REMEDY);
    }
  }

  /** The text that comes with the program. */
  static String builtIn() {
    try (InputStream in =
        Objects.requireNonNull(
            TextFiles.class.getResourceAsStream(BUILT_IN), "the built-in text")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Of a user's text as it is now. */
  static String sha256(Path file, StopFlag stop) {
    return Digests.file(file, stop);
  }
}
