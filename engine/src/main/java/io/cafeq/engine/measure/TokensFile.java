package io.cafeq.engine.measure;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.cafeq.config.StatisticsSettings;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.FileFailure;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code statistics/tokens.json}: the tokens themselves, so that a resume goes on with them whatever became of their source.
 * Written and read as a stream.
 */
final class TokensFile {
  private static final String IDENTITY = "identity";
  private static final String SHA_256 = "sha256";
  private static final String TEXT = "text_sha256";
  private static final String WINDOWS = "windows";
  private static final int BUFFER = 1 << 16;

  private TokensFile() {}

  /** @param identity of what decides the tokens, but for a text file's content */
  static void write(
      Path file, String identity, StatisticsSource used, StatisticsSettings settings, StatisticsTokens tokens) {
    try (DurableFile durable = DurableFile.create(file)) {
      // the generator closes the stream, which must not yet be the file's end
      try (JsonGenerator json = new JsonFactory().createGenerator(stream(durable))) {
        json.setPrettyPrinter(new DefaultPrettyPrinter());
        json.writeStartObject();
        json.writeStringField(IDENTITY, identity);
        json.writeStringField(SHA_256, tokens.sha256());
        json.writeStringField("source", used.text());
        json.writeStringField(TEXT, tokens.textSha256());
        json.writeNumberField("tokens", tokens.count());
        json.writeNumberField("window", settings.window());
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
      durable.publish();
    }
  }

  /** Empty where there is no such file, or one that is not whole or of something else: the tokens are then made again. */
  static Optional<StatisticsTokens> read(Path file, String identity) {
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
    boolean isWhole = tokens.sha256().equals(texts.get(SHA_256)) && identity.equals(texts.get(IDENTITY));
    return isWhole ? Optional.of(tokens) : Optional.empty();
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
    return new BufferedOutputStream(new OutputStream() {
      @Override
      public void write(int one) {
        write(new byte[] {(byte) one}, 0, 1);
      }

      @Override
      public void write(byte[] bytes, int offset, int count) {
        file.append(ByteBuffer.wrap(bytes, offset, count));
      }
    }, BUFFER);
  }
}
