package io.cafeq.engine.export.gguf;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A tokenizer.json, read in one pass: vocabularies and merges have some hundred thousand entries
 * and are kept as text only.
 *
 * @param type of the model, such as {@code BPE}
 * @param tokens by id, those that were added among them
 * @param scores by id; Unigram alone has them
 * @param merges in order, each two parts with a space between
 * @param unknown the token for what has none; empty where there is none
 */
record TokenizerJson(
    String type,
    SortedMap<Integer, String> tokens,
    Map<Integer, Double> scores,
    List<String> merges,
    boolean byteFallback,
    boolean ignoresMerges,
    String unknown,
    List<Added> added,
    JsonNode normalizer,
    JsonNode preTokenizer,
    JsonNode postProcessor) {
  private static final int MOST_TOKENS = 1 << 24;

  /** A token that stands apart from what the model makes of text. */
  record Added(int id, String content, boolean isSpecial) {}

  TokenizerJson {
    tokens = Collections.unmodifiableSortedMap(new TreeMap<>(tokens));
    scores = Map.copyOf(scores);
    merges = List.copyOf(merges);
    added = List.copyOf(added);
  }

  /** The largest id, and 1. */
  int size() {
    return tokens.isEmpty() ? 0 : tokens.lastKey() + 1;
  }

  /** Kind RESULT where the content is no tokenizer. */
  static TokenizerJson read(byte[] content) {
    try (JsonParser parser = new JsonFactory(new ObjectMapper()).createParser(content)) {
      Reading reading = new Reading(parser);
      reading.document();
      return reading.finished();
    } catch (JsonProcessingException e) {
      throw damaged(JsonText.fault(e), e);
    } catch (IOException e) {
      throw damaged("cannot be read as JSON", e);
    }
  }

  private static EngineException damaged(String what, IOException cause) {
    return new EngineException(
        FailureKind.RESULT,
        "tokenizer.json is not JSON as a tokenizer has it: " + what,
        "Copy it again from the checkpoint, or run the same quantize command again.",
        cause);
  }

  private static final class Reading {
    private final JsonParser parser;
    private final SortedMap<Integer, String> tokens = new TreeMap<>();
    private final Map<Integer, Double> scores = new TreeMap<>();
    private final List<String> merges = new ArrayList<>();
    private final List<Added> added = new ArrayList<>();
    private JsonNode normalizer = MissingNode.getInstance();
    private JsonNode preTokenizer = MissingNode.getInstance();
    private JsonNode postProcessor = MissingNode.getInstance();
    private String type = "";
    private String unknown = "";
    private int unknownId = -1;
    private boolean byteFallback;
    private boolean ignoresMerges;

    Reading(JsonParser parser) {
      this.parser = parser;
    }

    void document() throws IOException {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        switch (name) {
          case "normalizer" -> normalizer = parser.readValueAsTree();
          case "pre_tokenizer" -> preTokenizer = parser.readValueAsTree();
          case "post_processor" -> postProcessor = parser.readValueAsTree();
          case "added_tokens" -> added(parser.readValueAsTree());
          case "model" -> {
            if (value == JsonToken.START_OBJECT) {
              model();
            }
          }
          default -> parser.skipChildren();
        }
      }
    }

    private void added(JsonNode list) throws IOException {
      for (JsonNode token : list) {
        int id = token.path("id").asInt(-1);
        String content = token.path("content").asText();
        put(id, content);
        added.add(new Added(id, content, token.path("special").asBoolean()));
      }
    }

    private void model() throws IOException {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        switch (name) {
          case "type" -> type = parser.getText();
          case "unk_token" -> unknown = value == JsonToken.VALUE_NULL ? "" : parser.getText();
          case "unk_id" -> unknownId = value == JsonToken.VALUE_NULL ? -1 : parser.getIntValue();
          case "byte_fallback" -> byteFallback = value == JsonToken.VALUE_TRUE;
          case "ignore_merges" -> ignoresMerges = value == JsonToken.VALUE_TRUE;
          case "vocab" -> vocabulary(value);
          case "merges" -> merges();
          default -> parser.skipChildren();
        }
      }
    }

    private void vocabulary(JsonToken value) throws IOException {
      if (value == JsonToken.START_OBJECT) {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String token = parser.currentName();
          parser.nextToken();
          put(parser.getIntValue(), token);
        }
        return;
      }
      for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
        JsonNode pair = parser.readValueAsTree();
        put(id, pair.path(0).asText());
        scores.put(id, pair.path(1).asDouble());
      }
    }

    /** Older files have two parts in one text, newer ones a list of two. */
    private void merges() throws IOException {
      for (JsonToken token = parser.nextToken();
          token == JsonToken.VALUE_STRING || token == JsonToken.START_ARRAY;
          token = parser.nextToken()) {
        if (token == JsonToken.VALUE_STRING) {
          merges.add(parser.getText());
        } else {
          JsonNode pair = parser.readValueAsTree();
          merges.add(pair.path(0).asText() + " " + pair.path(1).asText());
        }
      }
    }

    private void put(int id, String token) throws IOException {
      if (id < 0 || id >= MOST_TOKENS) {
        throw new IOException("a token has the id " + id);
      }
      tokens.put(id, token);
    }

    TokenizerJson finished() {
      String whichUnknown = unknownId >= 0 ? tokens.getOrDefault(unknownId, "") : unknown;
      return new TokenizerJson(
          type,
          tokens,
          scores,
          merges,
          byteFallback,
          ignoresMerges,
          whichUnknown,
          added,
          normalizer,
          preTokenizer,
          postProcessor);
    }
  }
}
