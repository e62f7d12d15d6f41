package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;

/** config.json of a text model, or the part of it that describes the text model. */
public record Settings(JsonNode json) {
  public static Settings of(JsonNode config) {
    return new Settings(
        config.path("text_config").isObject() ? config.path("text_config") : config);
  }

  public boolean has(String key) {
    return !json.path(key).isMissingNode() && !json.path(key).isNull();
  }

  public int integer(String key) {
    return required(key).asInt();
  }

  public int integer(String key, int otherwise) {
    return has(key) ? integer(key) : otherwise;
  }

  public double number(String key) {
    return required(key).asDouble();
  }

  public double number(String key, double otherwise) {
    return has(key) ? number(key) : otherwise;
  }

  public boolean flag(String key, boolean otherwise) {
    return has(key) ? required(key).asBoolean() : otherwise;
  }

  public Optional<String> text(String key) {
    return has(key) ? Optional.of(required(key).asText()) : Optional.empty();
  }

  /** An entry of a list with one for each layer. */
  public JsonNode entry(String key, int index) {
    return required(key).get(index);
  }

  private JsonNode required(String key) {
    if (!has(key)) {
      throw new IllegalArgumentException(
          "config.json has no " + key + " where the forward pass needs it");
    }
    return json.path(key);
  }
}
