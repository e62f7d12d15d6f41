package io.cafeq.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.evaluate.EvaluatedModel;
import io.cafeq.engine.evaluate.Evaluations;
import io.cafeq.engine.evaluate.TextScore;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.StoredTensors.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * What is said of a model's files: a head that config.json does not expect, keys that are not
 * understood.
 */
class ModelWarningsTest {
  private static final String HEAD = "lm_head.weight";
  private static final String EMBEDDING = "model.embed_tokens.weight";

  @TempDir Path folder;

  private Path write(Miniature miniature, String change) throws IOException {
    Path model = Files.createTempDirectory(folder, "model");
    miniature.write(model, Miniature.Spread.ONE);
    ObjectNode config = miniature.config().deepCopy();
    config.setAll((ObjectNode) new ObjectMapper().readTree(change.replace('\'', '"')));
    Files.writeString(model.resolve("config.json"), config.toString());
    return model;
  }

  private static List<String> warnings(Path model) {
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      return ModelWarnings.of(checkpoint);
    }
  }

  private static TextScore score(Path model) {
    return Evaluations.score(model, Evaluations.windows(3, 16), Evaluations.PLENTY);
  }

  @Test
  void aStoredHeadIsTakenAlthoughConfigTiesIt() throws IOException {
    Miniature miniature = Miniature.of("llama", 1);
    Path tied = write(miniature, "{'tie_word_embeddings': true}");
    assertThat(warnings(tied))
        .singleElement()
        .asString()
        .contains("tie_word_embeddings", HEAD, EMBEDDING, "the stored head is taken");
    assertThat(score(tied)).isEqualTo(score(write(miniature, "{'tie_word_embeddings': false}")));
    try (EvaluatedModel opened = EvaluatedModel.open(tied)) {
      assertThat(opened.warnings()).isEqualTo(warnings(tied));
    }
  }

  @Test
  void aHeadOfTheSameValuesNeedsNoWord() throws IOException {
    Miniature miniature = Miniature.of("llama", 1);
    SortedMap<String, Stored> stored = new TreeMap<>(miniature.stored());
    Stored embedding = Objects.requireNonNull(stored.get(EMBEDDING));
    stored.put(HEAD, new Stored(HEAD, embedding.dtype(), embedding.shape(), embedding.bytes()));
    Miniature same = new Miniature("same", miniature.config(), miniature.weights(), stored);
    Path tied = write(same, "{'tie_word_embeddings': true}");
    assertThat(warnings(tied)).isEmpty();
    stored.remove(HEAD);
    Path without =
        write(
            new Miniature("without", miniature.config(), miniature.weights(), stored),
            "{'tie_word_embeddings': true}");
    assertThat(score(tied)).isEqualTo(score(without));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "llama; {'residual_multiplier': 0.22}; residual_multiplier",
        "llama; {'use_qk_norm': true}; use_qk_norm",
        "qwen2; {'attention_chunk_size': 8192}; attention_chunk_size",
        "mistral; {'per_layer_config': {'1': {'head_dim': 24}}}; per_layer_config",
        "qwen3; {'num_kv_shared_layers': 2}; num_kv_shared_layers",
        "llama; {'strange\\u001bkey': 5}; strange\\u001bkey"
      })
  void keysThatAreNotReadAreNamed(String family, String change, String key) throws IOException {
    assertThat(warnings(write(Miniature.of(family, 1), change)))
        .singleElement()
        .asString()
        .contains("config.json", key, "that no forward pass of this kind of model reads");
  }

  @ParameterizedTest
  @FieldSource("USUAL")
  void usualKeysAreNot(String keys) throws IOException {
    assertThat(warnings(write(Miniature.of("llama", 1), keys))).isEmpty();
  }

  /** Keys of published files that change nothing. */
  static final List<String> USUAL =
      List.of(
          "{'_name_or_path': 'x', 'architectures': ['LlamaForCausalLM'], 'attention_dropout': 0.1,"
              + " 'bos_token_id': 1, 'eos_token_id': [2, 3], 'initializer_range': 0.02,"
              + " 'pretraining_tp': 2, 'use_cache': true, 'torch_dtype': 'bfloat16',"
              + " 'transformers_version': '4.40.0', 'unsloth_fixed': true, 'mlp_bias': false,"
              + " 'rope_interleaved': false, 'is_llama_config': true, 'transformers.js_config':"
              + " {'dtype': 'q4'}}",
          "{'auto_map': {'AutoModel': 'x.Y'}, 'cache_implementation': 'hybrid',"
              + " 'output_router_logits': false, 'dtype': 'float16', 'router_aux_loss_coef': 0.001,"
              + " 'router_jitter_noise': 0.1, 'pad_token_id': 0, 'num_return_sequences': 1,"
              + " 'id2label': {'0': 'a'}, 'return_dict': true, 'top_k': 50, 'repetition_penalty':"
              + " 1.0, 'use_flash_attn': true, 'logits_scaling': 1.0, 'embedding_multiplier': 1,"
              + " 'attention_multiplier': null, 'sliding_window': 4096}");
}
