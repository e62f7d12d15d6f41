package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * An index that says other things than its shards hold: what is read, what is said of it, and what
 * is refused.
 */
class IndexAgreementTest {
  private static final String FIRST = "model-00001-of-00002.safetensors";
  private static final String SECOND = "model-00002-of-00002.safetensors";
  private static final String QUERY = "model.layers.0.self_attn.q_proj.weight";

  @TempDir private Path folder;

  private final Map<String, String> index = new LinkedHashMap<>();
  private final List<String> first =
      new ArrayList<>(
          List.of(
              "model.embed_tokens.weight",
              QUERY,
              "model.layers.0.input_layernorm.weight",
              "visual.blocks.0.attn.qkv.weight"));
  private final List<String> second =
      new ArrayList<>(
          List.of(
              "model.layers.1.self_attn.q_proj.weight",
              "model.layers.1.input_layernorm.weight",
              "model.norm.weight",
              "lm_head.weight"));

  @BeforeEach
  void listAll() throws IOException {
    first.forEach(name -> index.put(name, FIRST));
    second.forEach(name -> index.put(name, SECOND));
    config("{\"num_hidden_layers\": 2}");
  }

  private void config(String json) throws IOException {
    Files.writeString(folder.resolve("config.json"), json);
  }

  private Checkpoint open() throws IOException {
    write(FIRST, first, 1);
    write(SECOND, second, 2);
    Files.writeString(
        folder.resolve(CheckpointFiles.INDEX),
        index.entrySet().stream()
            .map(entry -> "\"" + entry.getKey() + "\":\"" + entry.getValue() + "\"")
            .collect(Collectors.joining(",", "{\"weight_map\":{", "}}")));
    return Checkpoint.open(folder);
  }

  /** Each tensor is one byte that tells its file. */
  private void write(String file, List<String> names, int value) throws IOException {
    byte[] data = new byte[names.size()];
    java.util.Arrays.fill(data, (byte) value);
    StringBuilder header = new StringBuilder();
    for (int i = 0; i < names.size(); i++) {
      header.append(i == 0 ? "{" : ",").append(entry(names.get(i), "U8", "[1]", i, i + 1));
    }
    RawSafetensors.write(folder, file, header.append("}").toString(), data);
  }

  private void assertOpens(String warning) throws IOException {
    try (Checkpoint checkpoint = open()) {
      assertThat(checkpoint.warnings()).singleElement().asString().contains(warning);
    }
  }

  private CheckpointException refusal() {
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> open().close());
    assertThat(refused).as("a refusal").isNotNull();
    return refused;
  }

  private static byte value(Checkpoint checkpoint, String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment one = arena.allocate(1);
      checkpoint.read(checkpoint.tensor(name).orElseThrow(), 0, one);
      return one.get(ValueLayout.JAVA_BYTE, 0);
    }
  }

  @Test
  void nothingIsSaidWhereBothAgree() throws IOException {
    try (Checkpoint checkpoint = open()) {
      assertThat(checkpoint.warnings()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mtp.fc.weight",
        "mtp.layers.0.mlp.up_proj.weight",
        "model.layers.2.eh_proj.weight",
        "audio_tower.layers.0.fc1.weight",
        "model.visual.merger.mlp.0.weight",
        "model.layers.0.self_attn.rotary_emb.inv_freq"
      })
  void whatTheModelHasNoUseForIsLeftOut(String name) throws IOException {
    index.put(name, SECOND);
    assertOpens("1 tensor is named by the index, but in no shard; left out (\"" + name + "\")");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.layers.0.mlp.up_proj.weight",
        "model.layers.1.self_attn.k_proj.bias",
        "model.extra.weight",
        "wte.weight",
        "lm_head2.weight",
        "visual.blocks.0.mlp.fc1.weight",
        "visual.merger.weight"
      })
  void aHoleInTheModelIsRefusedAndTheRemedyWorks(String name) throws IOException {
    index.put(name, SECOND);
    CheckpointException refused = refusal();
    assertThat(refused)
        .hasMessageContaining(SECOND)
        .hasMessageContaining("tensor \"" + name + "\" is missing");
    assertThat(refused.remedy()).contains("Download", SECOND, "remove their names from the index");
    index.remove(name);
    try (Checkpoint checkpoint = open()) {
      assertThat(checkpoint.warnings()).isEmpty();
    }
  }

  @Test
  void aLayerThatIsCountedIsNotLeftOut() throws IOException {
    index.put("model.layers.2.self_attn.q_proj.weight", SECOND);
    config("{\"text_config\": {\"num_hidden_layers\": 3}}");
    assertThat(refusal()).hasMessageContaining("model.layers.2.self_attn.q_proj.weight");
    config("{}");
    assertThat(refusal()).hasMessageContaining("model.layers.2.self_attn.q_proj.weight");
  }

  @Test
  void aTiedHeadMayBeNamedWithoutBeingStored() throws IOException {
    second.remove("lm_head.weight");
    assertThat(refusal()).hasMessageContaining("\"lm_head.weight\" is missing");
    config("{\"text_config\": {\"tie_word_embeddings\": true}}");
    assertOpens("\"lm_head.weight\"");
  }

  @Test
  void aShardWithNothingOfItsOwnIsRefused() {
    second.clear();
    second.add("something.else.weight");
    CheckpointException refused = refusal();
    assertThat(refused)
        .hasMessageContaining(SECOND)
        .hasMessageContaining("holds none of the tensors")
        .hasMessageContaining("4, such as");
    assertThat(refused.remedy()).contains("Download");
  }

  @Test
  void theIndexDecidesBetweenTwoCopies() throws IOException {
    second.addFirst(QUERY);
    try (Checkpoint checkpoint = open()) {
      assertThat(value(checkpoint, QUERY)).isEqualTo((byte) 1);
      assertThat(checkpoint.tensors()).hasSize(8);
      assertThat(checkpoint.warnings())
          .singleElement()
          .asString()
          .contains("stored more than once", QUERY);
    }
    index.put(QUERY, SECOND);
    try (Checkpoint checkpoint = open()) {
      assertThat(value(checkpoint, QUERY)).isEqualTo((byte) 2);
    }
  }

  @Test
  void twoCopiesOfWhichTheIndexKnowsNoneAreRefusedAndTheRemedyWorks() throws IOException {
    first.add("model.more.weight");
    second.add("model.more.weight");
    CheckpointException refused = refusal();
    assertThat(refused)
        .hasMessageContaining(FIRST)
        .hasMessageContaining(SECOND)
        .hasMessageContaining("model.more.weight");
    assertThat(refused.remedy()).contains("weight_map");
    index.put("model.more.weight", SECOND);
    try (Checkpoint checkpoint = open()) {
      assertThat(value(checkpoint, "model.more.weight")).isEqualTo((byte) 2);
    }
  }

  @Test
  void aTensorInAnotherShardIsReadFromThere() throws IOException {
    index.put(QUERY, SECOND);
    assertOpens("in another shard than the index says");
    try (Checkpoint checkpoint = open()) {
      assertThat(value(checkpoint, QUERY)).isEqualTo((byte) 1);
    }
  }

  @Test
  void aTensorThatTheIndexDoesNotNameIsReadToo() throws IOException {
    second.add("model.layers.1.self_attn.sinks");
    assertOpens("1 tensor is not in the index");
  }

  @Test
  void manyOfOneKindAreOneSentence() throws IOException {
    index.put("mtp.fc.weight", SECOND);
    index.put("mtp.norm.weight", SECOND);
    assertOpens(
        "2 tensors are named by the index, but in no shard; left out (such as \"mtp.fc.weight\")");
  }

  @Test
  void namesWithThousandsOfDotsTakeLittleMemory() throws IOException {
    first.add("x" + ".y".repeat(20_000));
    index.put("mtp.fc.weight", SECOND);
    try (Checkpoint checkpoint = open()) {
      assertThat(checkpoint.warnings()).hasSize(2);
    }
  }
}
