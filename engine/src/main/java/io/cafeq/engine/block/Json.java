package io.cafeq.engine.block;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * JSON with sorted keys and nothing invisible going out; duplicate keys and trailing text are
 * refused coming in.
 */
final class Json {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private Json() {}

  /** One line. */
  static String compact(JsonNode node) {
    try {
      return VisibleText.lines(MAPPER.writeValueAsString(sorted(node)));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Indented, with a line feed at the end. */
  static String pretty(JsonNode node) {
    try {
      String text =
          MAPPER.writer(SerializationFeature.INDENT_OUTPUT).writeValueAsString(sorted(node));
      return VisibleText.lines(text) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  static JsonNode parse(String text) throws JsonProcessingException {
    return MAPPER.readTree(text);
  }

  private static JsonNode sorted(JsonNode node) {
    return switch (node) {
      case ObjectNode object -> {
        TreeMap<String, JsonNode> fields = new TreeMap<>();
        object.properties().forEach(field -> fields.put(field.getKey(), sorted(field.getValue())));
        yield new ObjectNode(JsonNodeFactory.instance, fields);
      }
      case ArrayNode array -> {
        List<JsonNode> items = new ArrayList<>();
        array.forEach(item -> items.add(sorted(item)));
        yield new ArrayNode(JsonNodeFactory.instance, items);
      }
      default -> node;
    };
  }
}
