package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Typed look-ups in JSON that is not trusted. Whatever is missing or of another type is a {@link
 * Bad}, which the caller turns into a failure that names the file.
 *
 * @param path what the node is called in messages
 */
record Fields(String path, JsonNode node) {
  /** Something in the JSON is not as it must be. */
  static final class Bad extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Bad(String message) {
      super(message);
    }
  }

  String text(String key) {
    JsonNode value = node.path(key);
    if (!value.isTextual()) {
      throw bad(key, "text", value);
    }
    return value.textValue();
  }

  int integer(String key) {
    JsonNode value = node.path(key);
    if (!value.isInt()) {
      throw bad(key, "an integer", value);
    }
    return value.intValue();
  }

  long count(String key) {
    JsonNode value = node.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw bad(key, "a number that is not negative", value);
    }
    return value.longValue();
  }

  /** A finite number. */
  double number(String key) {
    JsonNode value = node.path(key);
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw bad(key, "a number", value);
    }
    return value.doubleValue();
  }

  boolean truth(String key) {
    JsonNode value = node.path(key);
    if (!value.isBoolean()) {
      throw bad(key, "true or false", value);
    }
    return value.booleanValue();
  }

  Fields object(String key) {
    JsonNode value = node.path(key);
    if (!value.isObject()) {
      throw bad(key, "an object", value);
    }
    return new Fields(path + "." + key, value);
  }

  /** Null where the key is missing or null. */
  @Nullable Fields optional(String key) {
    JsonNode value = node.path(key);
    return value.isMissingNode() || value.isNull() ? null : object(key);
  }

  /** The items of an array, each read as an object. */
  <T> List<T> list(String key, Function<Fields, T> read) {
    JsonNode value = node.path(key);
    if (!value.isArray()) {
      throw bad(key, "an array", value);
    }
    List<T> items = new ArrayList<>();
    for (JsonNode item : value) {
      items.add(read.apply(new Fields(path + "." + key + "[" + items.size() + "]", item)));
    }
    return items;
  }

  /** An array of texts. */
  List<String> texts(String key) {
    JsonNode value = node.path(key);
    List<String> texts = new ArrayList<>();
    for (JsonNode item : value) {
      if (!item.isTextual()) {
        throw bad(key, "an array of texts", value);
      }
      texts.add(item.textValue());
    }
    if (!value.isArray()) {
      throw bad(key, "an array of texts", value);
    }
    return texts;
  }

  /** An array of numbers that are not negative. */
  List<Long> longs(String key) {
    JsonNode value = node.path(key);
    List<Long> numbers = new ArrayList<>();
    for (JsonNode item : value) {
      if (!item.isIntegralNumber() || !item.canConvertToLong() || item.longValue() < 0) {
        throw bad(key, "an array of numbers that are not negative", value);
      }
      numbers.add(item.longValue());
    }
    if (!value.isArray()) {
      throw bad(key, "an array of numbers that are not negative", value);
    }
    return numbers;
  }

  /** The constant of an enum by the text that {@code name} gives it. */
  <E extends Enum<E>> E choice(String key, Class<E> type, Function<E, String> name) {
    String text = text(key);
    for (E constant : type.getEnumConstants()) {
      if (name.apply(constant).equals(text)) {
        return constant;
      }
    }
    throw new Bad(path + "." + key + " is \"" + text + "\", which is not known");
  }

  private Bad bad(String key, String expected, JsonNode found) {
    String text = found.isMissingNode() ? "nothing" : found.toString();
    return new Bad(
        path
            + "."
            + key
            + " must be "
            + expected
            + ", found "
            + (text.length() > 60 ? text.substring(0, 60) + "..." : text));
  }
}
