package io.cafeq.engine.export.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.cafeq.engine.failure.EngineException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenizerKeysTest {
  /** A byte-level tokenizer of three words and a special token. */
  static final String BYTE_LEVEL =
      """
      {"version": "1.0",
       "added_tokens": [{"id": 3, "content": "<s>", "special": true}],
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
       "post_processor": {"type": "Sequence", "processors": [{"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}]}]},
       "model": {"type": "BPE", "unk_token": null, "vocab": {"a": 0, "b": 1, "ab": 2},
         "merges": [["a", "b"]]}}
      """;

  private static final String PIECES =
      """
      {"added_tokens": [{"id": 0, "content": "<unk>", "special": true},
         {"id": 1, "content": "</s>", "special": true}],
       "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"}]},
       "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
         "vocab": {"<unk>": 0, "</s>": 1, "<0x0A>": 2, "a": 3, "b": 4, "ab": 5, "aba": 6},
         "merges": ["a b", "ab a"]}}
      """;

  private static TokenizerKeys keys(String tokenizer, String config, int vocabulary) {
    try {
      ObjectMapper json = new ObjectMapper();
      return TokenizerKeys.of(
          new TokenizerFiles(
              TokenizerJson.read(tokenizer.getBytes(StandardCharsets.UTF_8)),
              MissingNode.getInstance(),
              json.readTree(config),
              Optional.empty()),
          vocabulary,
          Optional.empty());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void byteLevelTokenizersHaveMerges() {
    TokenizerKeys keys = keys(BYTE_LEVEL, "{\"bos_token_id\": 3, \"eos_token_id\": [1, 2]}", 5);
    assertThat(keys.refusals()).isEmpty();
    assertThat(keys.values())
        .containsEntry("tokenizer.ggml.model", new GgufValue.Text("gpt2"))
        .containsEntry("tokenizer.ggml.merges", new GgufValue.Texts(List.of("a b")))
        .containsEntry("tokenizer.ggml.token_type", new GgufValue.Counts(List.of(1, 1, 1, 3, 5)))
        .containsEntry("tokenizer.ggml.eos_token_id", new GgufValue.Count(1))
        .containsEntry("tokenizer.ggml.add_bos_token", new GgufValue.Flag(true))
        .containsEntry("tokenizer.ggml.add_eos_token", new GgufValue.Flag(false));
  }

  /** Scores are in the order of merges, so that llama.cpp joins what the tokenizer joins. */
  @Test
  void piecesHaveScoresAndBytes() {
    TokenizerKeys keys = keys(PIECES, "{\"eos_token_id\": 1}", 7);
    assertThat(keys.values())
        .containsEntry("tokenizer.ggml.model", new GgufValue.Text("llama"))
        .containsEntry(
            "tokenizer.ggml.token_type", new GgufValue.Counts(List.of(2, 3, 6, 1, 1, 1, 1)))
        .containsEntry(
            "tokenizer.ggml.scores",
            new GgufValue.Reals(List.of(-0f, -0f, -0f, -0f, -0f, -0f, -1f)))
        .containsEntry("tokenizer.ggml.add_space_prefix", new GgufValue.Flag(true))
        .containsEntry("tokenizer.ggml.unknown_token_id", new GgufValue.Count(0));
  }

  @Test
  void moreTokensThanRowsAreRefused() {
    assertThat(keys(BYTE_LEVEL, "{}", 3).refusals()).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      value = {
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r"
            + "\\n"
            + "\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r"
            + "\\n"
            + "]*|\\s*[\\r"
            + "\\n"
            + "]+|\\s+(?!\\S)|\\s+~llama-bpe",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r"
            + "\\n"
            + "\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r"
            + "\\n"
            + "]*|\\s*[\\r"
            + "\\n"
            + "]+|\\s+(?!\\S)|\\s+~qwen2",
        "\\s+~none"
      })
  void wordsTellTheName(String words, String name) {
    String escaped = words.replace("\\", "\\\\");
    String split =
        BYTE_LEVEL
            .replace(
                "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}",
                "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\":"
                    + " {\"Regex\": \""
                    + escaped
                    + "\"}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\":"
                    + " \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}")
            .replace("\"unk_token\": null", "\"unk_token\": null, \"ignore_merges\": true");
    TokenizerJson tokenizer = TokenizerJson.read(split.getBytes(StandardCharsets.UTF_8));
    assertThat(PreTokenizers.of(tokenizer).orElse("none")).isEqualTo(name);
  }

  @Test
  void damagedFilesAreNamed() {
    assertThatThrownBy(() -> TokenizerJson.read("{\"model\": {".getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("tokenizer.json is not JSON");
  }
}
