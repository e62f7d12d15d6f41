package io.cafeq.engine.export;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Makes the config.json of a dense export out of that of a quantized source. */
final class DenseConfig {
  private static final String QUANTIZATION = "quantization_config";
  private static final String TEXT = "text_config";

  /** A field with its value: where its name begins and where the value ends. */
  private record Field(String name, int begin, int end) {}

  /** Bytes that go. */
  private record Cut(int begin, int end) {}

  private DenseConfig() {}

  /**
   * The same text without {@code quantization_config}, at the top and in {@code text_config}; every other byte stays.
   *
   * @param config UTF-8
   * @throws IOException where this is no JSON
   */
  static byte[] withoutQuantization(byte[] config) throws IOException {
    List<Cut> cuts = new ArrayList<>();
    JsonFactory factory = JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
    try (JsonParser json = factory.createParser(config)) {
      if (json.nextToken() == JsonToken.START_OBJECT) {
        object(json, true, cuts);
      }
    }
    cuts.sort(Comparator.comparingInt(Cut::begin));
    ByteArrayOutputStream kept = new ByteArrayOutputStream(config.length);
    int at = 0;
    for (Cut cut : cuts) {
      kept.write(config, at, cut.begin() - at);
      at = cut.end();
    }
    kept.write(config, at, config.length - at);
    return kept.toByteArray();
  }

  /** From an object's brace to its end. */
  private static void object(JsonParser json, boolean isTop, List<Cut> cuts) throws IOException {
    List<Field> fields = new ArrayList<>();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      int begin = Math.toIntExact(json.currentTokenLocation().getByteOffset());
      if (json.nextToken() == JsonToken.START_OBJECT && isTop && name.equals(TEXT)) {
        object(json, false, cuts);
      } else {
        json.skipChildren();
        json.finishToken();
      }
      fields.add(new Field(name, begin, Math.toIntExact(json.currentLocation().getByteOffset())));
    }
    for (int i = 0; i < fields.size(); i++) {
      Field field = fields.get(i);
      if (field.name().equals(QUANTIZATION)) {
        // With it goes one comma: the one that follows, or that before where it is the last.
        boolean isLast = i == fields.size() - 1;
        cuts.add(new Cut(
            isLast && i > 0 ? fields.get(i - 1).end() : field.begin(),
            isLast ? field.end() : fields.get(i + 1).begin()));
      }
    }
  }
}
