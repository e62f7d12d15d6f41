package io.cafeq.engine.tokens;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.FolderStore;
import io.cafeq.engine.store.StoredFile;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;

/**
 * Text as the tokens of a model, by Hugging Face's own tokenizers from the checkpoint's
 * tokenizer.json. No special token is added (one that stands in the text is recognised), nothing is
 * truncated or padded, whatever the file says of that. Needs no network. Owns native memory until
 * it is closed; used by one thread at a time.
 */
public final class TextTokenizer implements AutoCloseable {
  /** Its name in a checkpoint and in a result. */
  public static final String FILE = "tokenizer.json";

  /** The largest known ones have about 40 MB. */
  private static final long LARGEST = 128L << 20;

  private final TokenizersLibrary library;
  private final TokenizerFile file;
  private long handle;

  private TextTokenizer(TokenizersLibrary library, TokenizerFile file, long handle) {
    this.library = library;
    this.file = file;
    this.handle = handle;
  }

  /**
   * The tokenizer of a checkpoint, or of a result, which has its source's tokenizer.json.
   *
   * @throws EngineException with kind CHECKPOINT where there is no tokenizer.json or it is damaged,
   *     ENVIRONMENT where the library does not work here
   */
  public static TextTokenizer open(CheckpointStore store) {
    if (store.find(FILE).filter(StoredFile::isFile).isEmpty()) {
      throw new CheckpointException(
          store.location()
              + ": has no "
              + FILE
              + ", which says how text becomes the model's tokens",
          "Put the model's "
              + FILE
              + " into that folder; a tokenizer.model or vocab.json does not do.");
    }
    byte[] content = store.read(FILE, LARGEST);
    TokenizerFile file = TokenizerFile.read(content, store.place(FILE));
    TokenizerLibrary.load();
    TokenizersLibrary library = TokenizerLibrary.entryPoints();
    long handle = create(library, content, store.place(FILE));
    library.disableTruncation(handle);
    library.disablePadding(handle);
    return new TextTokenizer(library, file, handle);
  }

  /** The tokenizer of a folder. */
  public static TextTokenizer open(Path folder) {
    return open(FolderStore.open(folder));
  }

  private static long create(TokenizersLibrary library, byte[] content, String place) {
    try {
      return library.createTokenizerFromString(
          JsonText.withoutMark(new String(content, StandardCharsets.UTF_8)));
    } catch (RuntimeException e) {
      throw new CheckpointException(
          place + ": the tokenizers library cannot use it: " + e.getMessage(),
          "Download "
              + FILE
              + " again; one that is newer than this program may need a newer version of it.",
          e);
    }
  }

  /** All tokens of a text, at once; long ones are for {@link #beginning(TextPieces, int)}. */
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
   * The first tokens of a text, fewer where it has fewer. Its pieces are encoded one by one, and no
   * more of them than needed.
   */
  public int[] beginning(TextPieces text, int tokens) throws IOException {
    List<int[]> found = new ArrayList<>();
    int count = 0;
    for (Optional<String> piece = text.next(); piece.isPresent(); piece = text.next()) {
      int[] all = encode(piece.get());
      int[] taken = all.length > tokens - count ? Arrays.copyOf(all, tokens - count) : all;
      found.add(taken);
      count += taken.length;
      if (count == tokens) {
        break;
      }
    }
    return found.stream().flatMapToInt(Arrays::stream).toArray();
  }

  /**
   * The same for a file in UTF-8.
   *
   * @throws EngineException with kind USAGE where it is not UTF-8
   */
  public int[] beginning(Path file, int tokens) {
    try (Reader reader = Files.newBufferedReader(file)) {
      return beginning(new TextPieces(reader), tokens);
    } catch (CharacterCodingException e) {
      throw new EngineException(
          FailureKind.USAGE,
          file + ": is not a text in UTF-8",
          "Give a text in UTF-8, such as iconv makes.",
          e);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  /** Ids are below this; a model may have room for some more. */
  public int vocabulary() {
    return file.vocabulary();
  }

  /**
   * Ids of tokens that stand for no text, such as those for the beginning and the end; may be
   * empty.
   */
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
