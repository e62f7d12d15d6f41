package io.cafeq.engine.tokens;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A tokenizer small enough to be followed by hand. */
public final class Tokenizers {
  private Tokenizers() {}

  /**
   * Writes a tokenizer.json with the tokens a, b, c (ids 0 to 2), ab (3), a blank (4), the special
   * {@code <end>} (6) and {@code <start>} (11); anything else is unknown (5). It asks for
   * truncation, padding and a first token, which is ignored.
   */
  public static void write(Path folder) throws IOException {
    Files.writeString(
        folder.resolve("tokenizer.json"),
        """
        {
          "version": "1.0",
          "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
          "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 6,
            "pad_type_id": 0, "pad_token": "<end>"},
          "added_tokens": [
            {"id": 6, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
              "special": true},
            {"id": 11, "content": "<start>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
              "special": true},
            {"id": 7, "content": "zz", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
              "special": false}
          ],
          "normalizer": null,
          "pre_tokenizer": null,
          "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<start>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<start>": {"id": "<start>", "ids": [11], "tokens": ["<start>"]}}},
          "decoder": null,
          "model": {"type": "BPE", "dropout": null, "unk_token": "?", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, " ": 4, "?": 5},
            "merges": ["a b"]}
        }
        """);
  }
}
