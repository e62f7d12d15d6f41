package io.cafeq.engine.export.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.export.Answer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A tokenizer as llama.cpp wants to know it.
 *
 * @param values by key
 * @param refusals what llama.cpp cannot do as the tokenizer does it
 */
record TokenizerKeys(Map<String, GgufValue> values, List<Answer.Refuses> refusals) {
  private static final String PREFIX = "tokenizer.ggml.";
  private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNUSED = 5;
  private static final int BYTE_TOKEN = 6;

  TokenizerKeys {
    values = new LinkedHashMap<>(values);
    refusals = List.copyOf(refusals);
  }

  /** Without a tokenizer: programs must bring token ids themselves. */
  static TokenizerKeys none() {
    return new TokenizerKeys(Map.of(PREFIX + "model", new GgufValue.Text("no_vocab")), List.of());
  }

  /**
   * @param files what the model's files say of its tokenizer
   * @param vocabulary rows of the embedding matrix; ids beyond the tokens stand for nothing
   * @param pre what llama.cpp calls the cutting into words, where the user says so
   */
  static TokenizerKeys of(TokenizerFiles files, int vocabulary, Optional<String> pre) {
    TokenizerJson tokenizer = files.tokenizer();
    Map<String, GgufValue> values = new LinkedHashMap<>();
    List<Answer.Refuses> refusals = new ArrayList<>();
    boolean pieces = tokenizer.byteFallback() || tokenizer.type().equals("Unigram");
    if (tokenizer.size() > vocabulary) {
      refusals.add(
          refusal(
              "the tokenizer has %d tokens, the embedding matrix %d rows"
                  .formatted(tokenizer.size(), vocabulary),
              "Put the tokenizer.json of this model beside it and quantize again."));
    } else if (pieces) {
      text(values, "model", "llama");
      text(values, "pre", "default");
      tokens(values, tokenizer, vocabulary, true);
      values.put(PREFIX + "scores", scores(tokenizer, vocabulary));
      flag(values, "add_space_prefix", files.addsSpace());
    } else if (tokenizer.type().equals("BPE")) {
      text(values, "model", "gpt2");
      Optional<String> name = pre.or(() -> PreTokenizers.of(tokenizer));
      name.ifPresentOrElse(
          found -> text(values, "pre", found),
          () ->
              refusals.add(
                  refusal(
                      "tokenizer.json cuts text into words in a way that is not known here",
                      "Name what llama.cpp calls it, with --option pre=NAME.")));
      tokens(values, tokenizer, vocabulary, false);
      values.put(PREFIX + "merges", new GgufValue.Texts(tokenizer.merges()));
    } else {
      refusals.add(
          refusal(
              "tokenizer.json has a model of type "
                  + tokenizer.type()
                  + ", expected BPE or Unigram",
              "Export as dense and use llama.cpp's converter."));
    }
    special(values, files);
    return new TokenizerKeys(values, refusals);
  }

  private static void special(Map<String, GgufValue> values, TokenizerFiles files) {
    for (String name : List.of("bos", "eos", "unk", "pad")) {
      String key =
          switch (name) {
            case "unk" -> "unknown_token_id";
            case "pad" -> "padding_token_id";
            default -> name + "_token_id";
          };
      files.specialId(name).ifPresent(id -> values.put(PREFIX + key, new GgufValue.Count(id)));
    }
    flag(values, "add_bos_token", files.adds("bos"));
    flag(values, "add_eos_token", files.adds("eos"));
    files
        .chatTemplate()
        .ifPresent(template -> values.put("tokenizer.chat_template", new GgufValue.Text(template)));
  }

  private static void tokens(
      Map<String, GgufValue> values, TokenizerJson tokenizer, int vocabulary, boolean pieces) {
    Map<Integer, TokenizerJson.Added> added = new HashMap<>();
    tokenizer.added().forEach(token -> added.put(token.id(), token));
    List<String> tokens = new ArrayList<>(vocabulary);
    List<Integer> types = new ArrayList<>(vocabulary);
    for (int id = 0; id < vocabulary; id++) {
      String token = tokenizer.tokens().get(id);
      TokenizerJson.Added apart = added.get(id);
      tokens.add(token == null ? "[PAD" + id + "]" : token);
      types.add(
          token == null
              ? UNUSED
              : pieces && token.equals(tokenizer.unknown())
                  ? UNKNOWN
                  : pieces && BYTE.matcher(token).matches()
                      ? BYTE_TOKEN
                      : apart == null ? NORMAL : apart.isSpecial() ? CONTROL : USER_DEFINED);
    }
    values.put(PREFIX + "tokens", new GgufValue.Texts(tokens));
    values.put(PREFIX + "token_type", new GgufValue.Counts(types));
  }

  /**
   * llama.cpp joins first what makes the token of the highest score: that of the first merge. Of a
   * Unigram model these are the scores themselves.
   */
  private static GgufValue scores(TokenizerJson tokenizer, int vocabulary) {
    Map<String, Integer> ranks = new HashMap<>();
    List<String> merges = tokenizer.merges();
    for (int rank = 0; rank < merges.size(); rank++) {
      ranks.putIfAbsent(merges.get(rank).replace(" ", ""), rank);
    }
    List<Float> scores = new ArrayList<>(vocabulary);
    for (int id = 0; id < vocabulary; id++) {
      String token = tokenizer.tokens().get(id);
      Double own = tokenizer.scores().get(id);
      scores.add(
          own != null
              ? own.floatValue()
              : -(float) (token == null ? 0 : ranks.getOrDefault(token, 0)));
    }
    return new GgufValue.Reals(scores);
  }

  private static void text(Map<String, GgufValue> values, String key, String value) {
    values.put(PREFIX + key, new GgufValue.Text(value));
  }

  private static void flag(Map<String, GgufValue> values, String key, boolean value) {
    values.put(PREFIX + key, new GgufValue.Flag(value));
  }

  private static Answer.Refuses refusal(String reason, String remedy) {
    return new Answer.Refuses(reason, remedy);
  }

  /** One of the special tokens as config.json and others name it. */
  static Optional<Integer> id(JsonNode node) {
    JsonNode first = node.isArray() ? node.path(0) : node;
    return first.isInt() && first.intValue() >= 0
        ? Optional.of(first.intValue())
        : Optional.empty();
  }
}
