package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.text.VisibleText;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Reads JSON that comes with a model. Headers are read strictly; config.json, indexes and the like
 * as Python writes and reads them: with bare {@code NaN} and {@code Infinity}, and with a byte
 * order mark before the text.
 */
public final class JsonText {
  static final int LONGEST_VALUE = 10_000_000;
  private static final char BYTE_ORDER_MARK = '\uFEFF';
  private static final JsonFactory STRICT =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(64)
                  .maxNameLength(50_000)
                  .maxStringLength(LONGEST_VALUE)
                  .maxNumberLength(100)
                  .build())
          .build();
  private static final JsonFactory AS_PYTHON =
      STRICT.copy().configure(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS.mappedFeature(), true);

  private JsonText() {}

  /**
   * A stream of strict JSON, with bounds on everything that takes memory and without tables that
   * outlive the parser. Bytes that are not UTF-8 make the parser throw a CharacterCodingException.
   */
  static JsonParser parser(InputStream bytes) throws IOException {
    return STRICT.createParser(utf8(bytes));
  }

  /** The same for what Python wrote. */
  static JsonParser parserAsPython(InputStream bytes) throws IOException {
    BufferedReader text = new BufferedReader(utf8(bytes));
    text.mark(1);
    if (text.read() != BYTE_ORDER_MARK) {
      text.reset();
    }
    return AS_PYTHON.createParser(text);
  }

  private static InputStreamReader utf8(InputStream bytes) {
    return new InputStreamReader(
        bytes,
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT));
  }

  /**
   * The only value of a small file that Python wrote; missing where there is none. A key that
   * appears twice in an object, and text after the value, are refused. {@link #fault} says what a
   * JsonProcessingException means.
   */
  public static JsonNode tree(byte[] text) throws IOException {
    return JsonMapper.builder()
        .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .build()
        .readTree(text);
  }

  /** The text without a byte order mark. */
  public static String withoutMark(String text) {
    return !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? text.substring(1) : text;
  }

  /**
   * Where and why a text is no JSON. The library's own words name its flags and quote the text as
   * it is.
   */
  public static String fault(JsonProcessingException failure) {
    JsonLocation place = failure.getLocation();
    String what =
        switch (failure) {
          case StreamConstraintsException tooMuch ->
              "a name, text or number is too long, or values are nested too deeply";
          case JsonEOFException early -> "the text ends too early";
          case MismatchedInputException more -> "something follows the value";
          case JsonProcessingException other ->
              isDuplicate(other)
                  ? "a key appears twice in an object"
                  : "expected a JSON value or punctuation";
        };
    return place == null || place.getLineNr() < 1
        ? what
        : "line " + place.getLineNr() + ", column " + place.getColumnNr() + ": " + what;
  }

  private static boolean isDuplicate(JsonProcessingException failure) {
    return String.valueOf(failure.getOriginalMessage()).startsWith("Duplicate field");
  }

  /** What is there, for messages. */
  static String found(JsonParser parser) throws IOException {
    JsonToken token = parser.currentToken();
    return switch (token) {
      case null -> "the end";
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING, FIELD_NAME -> VisibleText.quoted(parser.getText());
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT, VALUE_TRUE, VALUE_FALSE, VALUE_NULL ->
          parser.getText();
      case END_OBJECT, END_ARRAY, NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT -> "nothing";
    };
  }
}
