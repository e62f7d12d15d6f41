package io.cafeq.engine.modelconfig;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.text.VisibleText;
import java.util.function.UnaryOperator;

/**
 * What config.json says of a text model, with what its family assumes where a key is missing. A
 * value of the wrong kind is an {@link EngineException} of kind CHECKPOINT.
 *
 * @param section where the text model has a section of its own, in which files leave out what is
 *     the library's default; empty where it has none
 * @param places where the file has a key, for messages
 */
public record ConfigNumbers(JsonNode node, String section, UnaryOperator<String> places) {
  private static final int LARGEST = 1 << 24;

  public ConfigNumbers(JsonNode node) {
    this(node, "", key -> key);
  }

  public static ConfigNumbers of(TextConfig config) {
    return new ConfigNumbers(config.node(), config.section(), config::place);
  }

  /** What the value of a key holds by itself. */
  public ConfigNumbers inside(String key) {
    return new ConfigNumbers(node.path(key), "", inner -> places.apply(key) + "." + inner);
  }

  public boolean isObject() {
    return node.isObject();
  }

  public boolean has(String key) {
    return node.hasNonNull(key);
  }

  /** A whole number above 0. */
  public int count(String key) {
    JsonNode value = node.path(key);
    if (!value.isInt() || value.intValue() <= 0 || value.intValue() > LARGEST) {
      throw wrong(key, "a whole number above 0");
    }
    return value.intValue();
  }

  /** A whole number, 0 among them. */
  public int index(String key, int otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    JsonNode value = node.path(key);
    if (!value.isInt() || value.intValue() < 0) {
      throw wrong(key, "a whole number");
    }
    return value.intValue();
  }

  public int count(String key, int otherwise) {
    return has(key) ? count(key) : otherwise;
  }

  /** A number above 0; with null for it, or none, what is assumed. */
  public double positive(String key, double otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    JsonNode value = node.path(key);
    if (!value.isNumber() || !(value.doubleValue() > 0) || Double.isInfinite(value.doubleValue())) {
      throw wrong(key, "a number above 0");
    }
    return value.doubleValue();
  }

  /** A number above 0 that null puts out of use; 0 where it is not used. */
  public double switchable(String key, double otherwise) {
    return node.path(key).isNull() ? 0 : positive(key, otherwise);
  }

  public boolean flag(String key, boolean otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    if (!node.path(key).isBoolean()) {
      throw wrong(key, "true or false");
    }
    return node.path(key).booleanValue();
  }

  public String text(String key, String otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    if (!node.path(key).isTextual()) {
      throw wrong(key, "a text");
    }
    return node.path(key).textValue();
  }

  public EngineException wrong(String key, String expected) {
    JsonNode value = node.path(key);
    if (!section.isEmpty() && value.isMissingNode()) {
      return new EngineException(
          FailureKind.CHECKPOINT,
          "config.json: "
              + VisibleText.shortened(section)
              + " leaves "
              + key
              + " to the library's default for this kind of model, which is not known here",
          "Write "
              + key
              + " into "
              + VisibleText.shortened(section)
              + ", with the value that the library assumes.");
    }
    String found = value.isMissingNode() ? "nothing" : value.toString();
    return new EngineException(
        FailureKind.CHECKPOINT,
        "config.json: "
            + VisibleText.shortened(places.apply(key))
            + ": expected "
            + expected
            + ", found "
            + VisibleText.shortened(found.length() > 60 ? found.substring(0, 60) + "..." : found),
        "Download config.json again, or fix it.");
  }

  /**
   * What the file asks for is nothing that a forward pass is written for; who can do without one
   * says so instead.
   *
   * @param what continues "config.json: KEY: "; may be empty
   */
  public EngineException unknown(String key, String what, String found, String known) {
    return new EngineException(
        FailureKind.USAGE,
        "config.json: "
            + VisibleText.shortened(places.apply(key))
            + ": "
            + what
            + (what.isEmpty() ? "" : " ")
            + VisibleText.quoted(found)
            + " is not known to the forward pass, which knows "
            + known,
        "Take a model that the forward pass knows; this one can be quantized, but not run.");
  }

  /** The same with the value that the key has. */
  public EngineException unknown(String key, String known) {
    return unknown(key, "", node.path(key).asText(), known);
  }
}
