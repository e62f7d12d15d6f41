package io.cafeq.engine.export.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Finds what llama.cpp calls the way in which a byte-level BPE tokenizer cuts text into words. Its
 * converter knows tokenizers by what they make of one text; here the description itself is
 * compared, so that a tokenizer with other words is known as well.
 */
final class PreTokenizers {
  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|";
  private static final String WORDS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
  private static final String REST =
      "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String CASES =
      "[^\\r\\n\\p{L}\\p{N}]?"
          + UPPER
          + "*"
          + LOWER
          + "+%1$s|[^\\r\\n\\p{L}\\p{N}]?"
          + UPPER
          + "+"
          + LOWER
          + "*%1$s|";
  private static final String CASES_REST =
      "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final String THREE_DIGITS = CONTRACTIONS + WORDS + "\\p{N}{1,3}" + REST;
  private static final String ONE_DIGIT = CONTRACTIONS + WORDS + "\\p{N}" + REST;
  private static final String TEKKEN = CASES.formatted("") + "\\p{N}" + CASES_REST;
  private static final String GPT_4O =
      CASES.formatted("(?i:'s|'t|'re|'ve|'m|'ll|'d)?") + "\\p{N}{1,3}" + CASES_REST;

  private PreTokenizers() {}

  /** Empty for one that is not known. */
  static Optional<String> of(TokenizerJson tokenizer) {
    List<JsonNode> steps = new ArrayList<>();
    flatten(tokenizer.preTokenizer(), steps);
    if (steps.isEmpty()
        || !steps.getLast().path("type").asText().equals("ByteLevel")
        || steps.getLast().path("add_prefix_space").asBoolean()) {
      return Optional.empty();
    }
    boolean ownWords = steps.getLast().path("use_regex").asBoolean(true);
    if (steps.size() == 1) {
      return ownWords ? Optional.of("gpt-2") : Optional.empty();
    }
    if (steps.size() > 2) {
      return Optional.empty();
    }
    JsonNode first = steps.getFirst();
    if (ownWords) {
      boolean digits =
          first.path("type").asText().equals("Digits")
              && first.path("individual_digits").asBoolean();
      return digits ? Optional.of("smollm") : Optional.empty();
    }
    boolean splits =
        first.path("type").asText().equals("Split")
            && first.path("behavior").asText().equals("Isolated")
            && !first.path("invert").asBoolean();
    return splits
        ? byWords(first.path("pattern").path("Regex").asText(), tokenizer)
        : Optional.empty();
  }

  private static Optional<String> byWords(String words, TokenizerJson tokenizer) {
    if (words.equals(THREE_DIGITS)) {
      // The same words; only the first takes whole words that are tokens as they are.
      return Optional.of(tokenizer.ignoresMerges() ? "llama-bpe" : "dbrx");
    }
    return words.equals(ONE_DIGIT)
        ? Optional.of("qwen2")
        : words.equals(TEKKEN)
            ? Optional.of("tekken")
            : words.equals(GPT_4O) ? Optional.of("gpt-4o") : Optional.empty();
  }

  private static void flatten(JsonNode node, List<JsonNode> steps) {
    if (node.path("type").asText().equals("Sequence")) {
      node.path("pretokenizers").forEach(step -> flatten(step, steps));
    } else if (node.isObject()) {
      steps.add(node);
    }
  }
}
