package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.text.VisibleText;
import java.nio.charset.StandardCharsets;

/** Adds fields to the text of a JSON object; every byte of it stays. */
final class ConfigAddition {
  private ConfigAddition() {}

  /**
   * @param object the text, in UTF-8, of an object without that field
   */
  static byte[] with(byte[] object, String name, JsonNode value) {
    String text = new String(object, StandardCharsets.UTF_8);
    int end = text.lastIndexOf('}');
    if (end < 0) {
      return object;
    }
    String before = text.substring(0, end).stripTrailing();
    String comma = before.endsWith("{") ? "" : ",";
    String field =
        ("\"" + name + "\" : " + VisibleText.lines(value.toPrettyString()))
            .indent(2)
            .stripTrailing();
    return (before + comma + "\n" + field + "\n" + text.substring(end))
        .getBytes(StandardCharsets.UTF_8);
  }
}
