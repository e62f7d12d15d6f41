package io.cafeq.engine.tokens;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.checkpoint.JsonText;
import java.io.IOException;
import java.util.Collections;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What the tokens of a tokenizer.json are called, read in one pass without holding it: vocabularies
 * have some hundred thousand entries.
 *
 * @param vocabulary the largest id, and 1
 * @param special ids of the added tokens that are marked as special
 */
record TokenizerFile(int vocabulary, SortedSet<Integer> special) {
  /**
   * Kind CHECKPOINT where the content is no tokenizer.
   *
   * @param place where it is, for messages
   */
  static TokenizerFile read(byte[] content, String place) {
    try (JsonParser parser = new JsonFactory().createParser(content)) {
      Reading reading = new Reading(parser);
      reading.document();
      if (reading.largest < 0) {
        throw new CheckpointException(
            place + ": has no tokens, neither in model.vocab nor in added_tokens",
            "Download tokenizer.json again.");
      }
      return new TokenizerFile(
          reading.largest + 1, Collections.unmodifiableSortedSet(reading.special));
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          place + ": is not JSON as a tokenizer has it: " + JsonText.fault(e),
          "Download tokenizer.json again.",
          e);
    } catch (IOException e) {
      throw new CheckpointException(
          place + ": cannot be read as JSON", "Download tokenizer.json again.", e);
    }
  }

  private static final class Reading {
    private final JsonParser parser;
    private final SortedSet<Integer> special = new TreeSet<>();
    private int largest = -1;

    Reading(JsonParser parser) {
      this.parser = parser;
    }

    void document() throws IOException {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        if (name.equals("added_tokens") && value == JsonToken.START_ARRAY) {
          while (parser.nextToken() == JsonToken.START_OBJECT) {
            addedToken();
          }
        } else if (name.equals("model") && value == JsonToken.START_OBJECT) {
          model();
        } else {
          parser.skipChildren();
        }
      }
    }

    private void addedToken() throws IOException {
      int id = -1;
      boolean isSpecial = false;
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "id" -> id = parser.getIntValue();
          case "special" -> isSpecial = parser.getBooleanValue();
          default -> parser.skipChildren();
        }
      }
      largest = Math.max(largest, id);
      if (isSpecial) {
        special.add(id);
      }
    }

    private void model() throws IOException {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
          while (parser.nextToken() == JsonToken.FIELD_NAME) {
            parser.nextToken();
            largest = Math.max(largest, parser.getIntValue());
          }
        } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
          // Unigram: pairs of a token and its score, whose ids are their places.
          for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
            parser.skipChildren();
            largest = Math.max(largest, id);
          }
        } else {
          parser.skipChildren();
        }
      }
    }
  }
}
