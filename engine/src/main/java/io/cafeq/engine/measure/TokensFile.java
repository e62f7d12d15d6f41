package io.cafeq.engine.measure;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code statistics/tokens.json}: the tokens themselves, so that a resume goes on with them
 * whatever became of their source. Written and read as a stream. It counts only as long as it has
 * the very bytes that would be written now.
 */
final class TokensFile {
  private static final String IDENTITY = "identity";
  private static final String SHA_256 = "sha256";
  private static final String TEXT = "text_sha256";
  private static final String KERNEL = "kernel";
  private static final String SOURCE = "source_sha256";
  private static final String WINDOWS = "windows";
  private static final int BUFFER = 1 << 16;

  private TokensFile() {}

  /**
   * What decides the tokens of a file.
   *
   * @param identity hash of all but a text file's content, weights and kernel
   * @param source as it stands in results
   * @param window tokens that see one another
   */
  record Asked(String identity, String source, int window) {}

  /**
   * The tokens, and what decided them where the model wrote them itself; else that is empty.
   *
   * @param sourceSha256 of the model's weights
   * @param kernel that computed its text
   */
  record Content(StatisticsTokens tokens, String sourceSha256, String kernel) {}

  static void write(Path file, Asked asked, Content content) {
    try (DurableFile durable = DurableFile.create(file)) {
      write(stream(durable), asked, content);
      durable.publish();
    }
  }

  /** Closes the stream, which is not yet the end of a durable file. */
  private static void write(OutputStream out, Asked asked, Content content) {
    StatisticsTokens tokens = content.tokens();
    String sha256 = tokens.sha256();
    List<String> fields =
        List.of(
            asked.identity(),
            asked.source(),
            Integer.toString(asked.window()),
            sha256,
            tokens.textSha256(),
            content.sourceSha256(),
            content.kernel());
    try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
      json.setPrettyPrinter(new DefaultPrettyPrinter());
      json.writeStartObject();
      json.writeStringField("fields_sha256", Digests.text(String.join("\n", fields)));
      json.writeStringField(IDENTITY, asked.identity());
      json.writeStringField(KERNEL, content.kernel());
      json.writeStringField(SHA_256, sha256);
      json.writeStringField("source", asked.source());
      json.writeStringField(SOURCE, content.sourceSha256());
      json.writeStringField(TEXT, tokens.textSha256());
      json.writeNumberField("tokens", tokens.count());
      json.writeNumberField("window", asked.window());
      json.writeArrayFieldStart(WINDOWS);
      for (int[] window : tokens.windows()) {
        json.writeArray(window, 0, window.length);
      }
      json.writeEndArray();
      json.writeEndObject();
      json.writeRaw('\n');
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Empty where there is no such file, or one that is not whole or of something else: the tokens
   * are then made again.
   */
  static Optional<Content> read(Path file, Asked asked) {
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    Map<String, String> texts = new HashMap<>();
    List<int[]> windows = new ArrayList<>();
    try (JsonParser json = new JsonFactory().createParser(file.toFile())) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return Optional.empty();
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        JsonToken value = json.nextToken();
        if (key.equals(WINDOWS) && value == JsonToken.START_ARRAY) {
          readWindows(json, windows);
        } else if (value == JsonToken.VALUE_STRING) {
          texts.put(key, json.getText());
        } else {
          json.skipChildren();
        }
      }
    } catch (JsonProcessingException damaged) {
      return Optional.empty();
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    StatisticsTokens tokens = new StatisticsTokens(windows, texts.getOrDefault(TEXT, ""));
    Content content =
        new Content(tokens, texts.getOrDefault(SOURCE, ""), texts.getOrDefault(KERNEL, ""));
    MessageDigest written = Digests.sha256();
    write(new DigestOutputStream(OutputStream.nullOutputStream(), written), asked, content);
    return Digests.file(file, new StopFlag()).equals(Digests.hex(written))
        ? Optional.of(content)
        : Optional.empty();
  }

  private static void readWindows(JsonParser json, List<int[]> windows) throws IOException {
    while (json.nextToken() == JsonToken.START_ARRAY) {
      int[] window = new int[256];
      int count = 0;
      while (json.nextToken() == JsonToken.VALUE_NUMBER_INT) {
        if (count == window.length) {
          window = Arrays.copyOf(window, 2 * count);
        }
        window[count++] = json.getIntValue();
      }
      windows.add(Arrays.copyOf(window, count));
    }
  }

  private static OutputStream stream(DurableFile file) {
    return new BufferedOutputStream(
        new OutputStream() {
          @Override
          public void write(int one) {
            write(new byte[] {(byte) one}, 0, 1);
          }

          @Override
          public void write(byte[] bytes, int offset, int count) {
            file.append(ByteBuffer.wrap(bytes, offset, count));
          }
        },
        BUFFER);
  }
}
