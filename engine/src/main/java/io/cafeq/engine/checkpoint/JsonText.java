package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** JSON read as a stream, with bounds on everything that takes memory and without tables that outlive the parser. */
final class JsonText {
  static final int LONGEST_VALUE = 10_000_000;
  private static final JsonFactory FACTORY = JsonFactory.builder()
      .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
      .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
      .streamReadConstraints(StreamReadConstraints.builder()
          .maxNestingDepth(64)
          .maxNameLength(50_000)
          .maxStringLength(LONGEST_VALUE)
          .maxNumberLength(100)
          .build())
      .build();

  private JsonText() {}

  /** Bytes that are not UTF-8 make the parser throw a CharacterCodingException. */
  static JsonParser parser(InputStream bytes) throws IOException {
    return FACTORY.createParser(new InputStreamReader(
        bytes,
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT)));
  }

  /** What stands there, for messages. */
  static String found(JsonParser parser) throws IOException {
    JsonToken token = parser.currentToken();
    return switch (token) {
      case null -> "the end";
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING, FIELD_NAME -> Names.quoted(parser.getText());
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT, VALUE_TRUE, VALUE_FALSE, VALUE_NULL -> parser.getText();
      case END_OBJECT, END_ARRAY, NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT -> "nothing";
    };
  }
}
