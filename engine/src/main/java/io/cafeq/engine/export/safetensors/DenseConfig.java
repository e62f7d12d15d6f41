package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.LeftOut;
import io.cafeq.engine.checkpoint.QuantizationKeys;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.export.SideFileCopy;
import io.cafeq.engine.failure.FileFailure;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Makes the config.json of plain weights out of that of a quantized source: without what {@link
 * QuantizationKeys} tells, in all sections, and with BF16 as the type of the weights where it was
 * one of 8 bits and fewer. Every other byte stays.
 */
final class DenseConfig {
  private static final Set<String> TYPES = Set.of("torch_dtype", "dtype");
  private static final byte[] PLAIN_TYPE = "\"bfloat16\"".getBytes(StandardCharsets.UTF_8);
  private static final byte[] NOTHING = {};

  /**
   * What came of a file.
   *
   * @param removed the fields that went, with the names of those that they were in, dotted
   * @param retyped the fields that name another type now
   */
  record Cleaned(byte[] bytes, List<String> removed, List<String> retyped) {}

  /** A field with its value: where its name begins and where the value ends. */
  private record Field(int begin, int end, boolean goes) {}

  /** Bytes that others take the place of. */
  private record Edit(int begin, int end, byte[] replacement) {}

  private final JsonParser json;
  private final List<Edit> edits = new ArrayList<>();
  private final List<String> removed = new ArrayList<>();
  private final List<String> retyped = new ArrayList<>();

  private DenseConfig(JsonParser json) {
    this.json = json;
  }

  /**
   * Writes the cleaned text of a side file into an export, or the file as it is where it is no
   * JSON.
   *
   * @param addition to what is left
   * @return what was changed
   */
  static List<LeftBehind> write(
      ResultReader result,
      Manifest.SideFileEntry entry,
      Path folder,
      UnaryOperator<byte[]> addition) {
    byte[] config = SideFileCopy.read(result, entry);
    Cleaned cleaned;
    try {
      cleaned = of(config);
    } catch (JsonProcessingException noJson) {
      cleaned = new Cleaned(config, List.of(), List.of());
    } catch (IOException e) {
      throw FileFailure.of("read", result.folder().resolve(entry.path()), e);
    }
    SideFileCopy.write(folder, entry.path(), addition.apply(cleaned.bytes()));
    List<LeftBehind> changes = new ArrayList<>();
    cleaned
        .removed()
        .forEach(
            field ->
                changes.add(
                    new LeftBehind(
                        entry.path() + ": " + field, LeftOut.Reason.QUANTIZATION.text())));
    cleaned
        .retyped()
        .forEach(
            field ->
                changes.add(
                    new LeftBehind(
                        entry.path() + ": " + field, "names BF16, which the weights are now")));
    return changes;
  }

  /**
   * The text for plain weights.
   *
   * @param config UTF-8, with or without a byte order mark
   * @throws IOException where this is no JSON in UTF-8; bare Infinity and NaN are taken, as Python
   *     writes them
   */
  static Cleaned of(byte[] config) throws IOException {
    JsonFactory factory =
        JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();
    JsonNode node = JsonMapper.builder(factory).build().readTree(config);
    try (JsonParser json = factory.createParser(config)) {
      DenseConfig dense = new DenseConfig(json);
      json.nextToken();
      dense.value(node, "");
      return new Cleaned(
          dense.edited(config), List.copyOf(dense.removed), List.copyOf(dense.retyped));
    }
  }

  private byte[] edited(byte[] config) {
    edits.sort(Comparator.comparingInt(Edit::begin));
    ByteArrayOutputStream kept = new ByteArrayOutputStream(config.length);
    int at = 0;
    for (Edit edit : edits) {
      kept.write(config, at, edit.begin() - at);
      kept.writeBytes(edit.replacement());
      at = edit.end();
    }
    kept.write(config, at, config.length - at);
    return kept.toByteArray();
  }

  /** From a value's first token to its last. */
  private void value(JsonNode node, String path) throws IOException {
    if (json.currentToken() == JsonToken.START_OBJECT) {
      object(node, path);
    } else if (json.currentToken() == JsonToken.START_ARRAY) {
      for (int i = 0; json.nextToken() != JsonToken.END_ARRAY; i++) {
        value(node.path(i), path + i + ".");
      }
    } else {
      json.finishToken();
    }
  }

  private void object(JsonNode node, String path) throws IOException {
    List<Field> fields = new ArrayList<>();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      int begin = tokenOffset();
      json.nextToken();
      int valueBegin = tokenOffset();
      JsonNode value = node.path(name);
      boolean goes = QuantizationKeys.isDescription(name, value);
      if (goes) {
        removed.add(path + name);
      }
      if (goes || QuantizationKeys.isComputation(value)) {
        json.skipChildren();
        json.finishToken();
      } else {
        value(value, path + name + ".");
      }
      int end = Math.toIntExact(json.currentLocation().getByteOffset());
      fields.add(new Field(begin, end, goes));
      if (!goes
          && TYPES.contains(name)
          && value.isTextual()
          && QuantizationKeys.isNarrow(value.textValue())) {
        edits.add(new Edit(valueBegin, end, PLAIN_TYPE));
        retyped.add(path + name);
      }
    }
    cut(fields);
  }

  /**
   * With each field goes one comma: the one that follows, or that before where all that follow go
   * as well.
   */
  private void cut(List<Field> fields) {
    int kept = fields.size();
    while (kept > 0 && fields.get(kept - 1).goes()) {
      kept--;
    }
    for (int i = 0; i < kept; i++) {
      if (fields.get(i).goes()) {
        edits.add(new Edit(fields.get(i).begin(), fields.get(i + 1).begin(), NOTHING));
      }
    }
    if (kept < fields.size()) {
      int begin = kept == 0 ? fields.getFirst().begin() : fields.get(kept - 1).end();
      edits.add(new Edit(begin, fields.getLast().end(), NOTHING));
    }
  }

  private int tokenOffset() throws IOException {
    long offset = json.currentTokenLocation().getByteOffset();
    if (offset < 0) {
      throw new IOException("it is not UTF-8");
    }
    return Math.toIntExact(offset);
  }
}
