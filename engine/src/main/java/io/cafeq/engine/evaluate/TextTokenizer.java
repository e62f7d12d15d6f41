package io.cafeq.engine.evaluate;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SortedSet;
import java.util.function.IntFunction;

/**
 * Text as the tokens of a model, by Hugging Face's own tokenizers from the checkpoint's tokenizer.json. No special token is
 * added (one that stands in the text is recognised), nothing is truncated or padded, whatever the file says of that. Needs no
 * network. Owns native memory until it is closed; used by one thread at a time.
 */
public final class TextTokenizer implements AutoCloseable {
  /** Characters (code points) of a text that {@link #beginning} encodes first. */
  public static final int FIRST_CHARACTERS = 400_000;

  private static final String FILE = "tokenizer.json";

  private final TokenizersLibrary library;
  private final TokenizerFile file;
  private long handle;

  private TextTokenizer(TokenizersLibrary library, TokenizerFile file, long handle) {
    this.library = library;
    this.file = file;
    this.handle = handle;
  }

  /**
   * The tokenizer of a checkpoint.
   *
   * @param folder of the checkpoint, or of a result, which has its source's tokenizer.json
   * @throws EngineException with kind CHECKPOINT where there is no tokenizer.json or it is damaged,
   *     ENVIRONMENT where the library does not work here
   */
  public static TextTokenizer open(Path folder) {
    Path path = folder.resolve(FILE);
    if (!Files.isRegularFile(path)) {
      throw new CheckpointException(
          folder + ": has no " + FILE + ", which says how text becomes the model's tokens",
          "Put the model's " + FILE + " into that folder; a tokenizer.model or vocab.json does not do.");
    }
    TokenizerFile file = TokenizerFile.read(path);
    TokenizerLibrary.load();
    TokenizersLibrary library = TokenizerLibrary.entryPoints();
    long handle = create(library, path);
    library.disableTruncation(handle);
    library.disablePadding(handle);
    return new TextTokenizer(library, file, handle);
  }

  private static long create(TokenizersLibrary library, Path path) {
    try {
      return library.createTokenizerFromString(Files.readString(path));
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    } catch (RuntimeException e) {
      throw new CheckpointException(
          path + ": the tokenizers library cannot use it: " + e.getMessage(),
          "Download " + FILE + " again; one that is newer than this program may need a newer version of it.",
          e);
    }
  }

  /** All tokens of a text. */
  public int[] encode(String text) {
    if (handle == 0) {
      throw new IllegalStateException("the tokenizer is closed");
    }
    long encoding = library.encode(handle, text, false);
    try {
      return Arrays.stream(library.getTokenIds(encoding)).mapToInt(Math::toIntExact).toArray();
    } finally {
      library.deleteEncoding(encoding);
    }
  }

  /**
   * The first tokens of a text, fewer where it has fewer. Encoded are its first {@link #FIRST_CHARACTERS} characters, which is
   * what other evaluations take; twice as many, and so on, where they do not give enough.
   */
  public int[] beginning(String text, int tokens) {
    return beginning(tokens, characters -> text.codePointCount(0, text.length()) <= characters
        ? text
        : text.substring(0, text.offsetByCodePoints(0, characters)));
  }

  /**
   * The same for a file in UTF-8, of which no more is read than is encoded.
   *
   * @throws EngineException with kind USAGE where it is not UTF-8
   */
  public int[] beginning(Path file, int tokens) {
    return beginning(tokens, characters -> read(file, characters));
  }

  private int[] beginning(int tokens, IntFunction<String> start) {
    int characters = FIRST_CHARACTERS;
    while (true) {
      String text = start.apply(characters);
      int[] found = encode(text);
      if (found.length >= tokens || text.codePointCount(0, text.length()) < characters) {
        return Arrays.copyOf(found, Math.min(tokens, found.length));
      }
      characters = Math.multiplyExact(characters, 2);
    }
  }

  private static String read(Path file, int characters) {
    StringBuilder text = new StringBuilder();
    char[] piece = new char[8192];
    try (Reader reader = Files.newBufferedReader(file)) {
      int count = reader.read(piece);
      // A character takes one or two of these, so half of what is needed is there at the least.
      while (count > 0 && text.length() < 2L * characters) {
        text.append(piece, 0, count);
        count = reader.read(piece);
      }
    } catch (CharacterCodingException e) {
      throw new EngineException(
          FailureKind.USAGE, file + ": is not a text in UTF-8", "Give a text in UTF-8, such as iconv makes.", e);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    boolean whole = text.codePointCount(0, text.length()) <= characters;
    return whole ? text.toString() : text.substring(0, text.offsetByCodePoints(0, characters));
  }

  /** Ids are below this; a model may have room for some more. */
  public int vocabulary() {
    return file.vocabulary();
  }

  /** Ids of tokens that stand for no text, such as those for the beginning and the end; may be empty. */
  public SortedSet<Integer> specialIds() {
    return file.special();
  }

  @Override
  public void close() {
    if (handle != 0) {
      library.deleteTokenizer(handle);
      handle = 0;
    }
  }
}
