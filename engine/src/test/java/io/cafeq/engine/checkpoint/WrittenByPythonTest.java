package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * JSON beside the weights: bare numbers that are none, byte order marks, and what is still refused,
 * in which words.
 */
class WrittenByPythonTest {
  private static final String ONE = "{" + entry("w", "U8", "[1]", 0, 1) + "}";
  private static final String MARK = "\uFEFF";
  private static final String[] WORDS_OF_A_LIBRARY = {
    "Feature", "StreamRead", "JsonRead", "enable", "Jackson", "ALLOW_"
  };

  @TempDir private Path folder;

  @BeforeEach
  void write() throws IOException {
    RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
  }

  private CheckpointException refusal() {
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(folder).close());
    assertThat(refused).as("a refusal").isNotNull();
    assertThat(refused.getMessage()).doesNotContain(WORDS_OF_A_LIBRARY).matches("\\P{Cntrl}*");
    return refused;
  }

  private void config(String text) throws IOException {
    Files.writeString(folder.resolve("config.json"), text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"[0.0, Infinity]", "-Infinity", "NaN", "{\"deep\": [NaN, {\"x\": Infinity}]}"})
  void numbersThatAreNone(String value) throws IOException {
    for (String before : new String[] {"", MARK}) {
      config(before + "{\"model_type\": \"mamba2\", \"time_step_limit\": " + value + "}");
      try (Checkpoint checkpoint = Checkpoint.open(folder)) {
        assertThat(checkpoint.config().json().path("model_type").asText()).isEqualTo("mamba2");
        assertThat(checkpoint.config().json().has("time_step_limit")).isTrue();
      }
    }
  }

  @Test
  void anIndexWithBoth() throws IOException {
    config("{}");
    Files.writeString(
        folder.resolve(CheckpointFiles.INDEX),
        MARK
            + "{\"metadata\": {\"total_size\": NaN, \"loss\": -Infinity}, \"weight_map\": {\"w\":"
            + " \"model.safetensors\"}}");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.warnings()).isEmpty();
      assertThat(checkpoint.tensors()).hasSize(1);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\": nan}",
        "{\"a\": 1,}",
        "{\"a\": 'b'}",
        "{\"a\": 1} // end",
        "{\"a\": 1} {}",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": \u001B[31mred}",
        "{\"a\": 01}",
        "{\"a\": ",
        "{\"a\": \"\u0007\"}",
        "",
        "[]",
        "NaN",
        "{\"a\": +}",
        "# text"
      })
  void whatIsStillNoConfig(String text) throws IOException {
    config(text);
    assertThat(refusal()).hasMessageContaining("config.json");
  }

  @Test
  void nestingBeyondReason() throws IOException {
    config("{\"a\": " + "[".repeat(5000) + "]".repeat(5000) + "}");
    assertThat(refusal()).hasMessageContaining("nested too deeply");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"weight_map\": {\"w\": \"model.safetensors\"}} x",
        "{\"weight_map\": nan}",
        "{\"weight_map\": Infinity}",
        "{\"metadata\": {}}",
        "{\"weight_map\": {}}"
      })
  void whatIsStillNoIndex(String text) throws IOException {
    Files.delete(folder.resolve("model.safetensors"));
    Files.writeString(folder.resolve(CheckpointFiles.INDEX), text);
    assertThat(refusal()).hasMessageContaining(CheckpointFiles.INDEX);
  }

  @Test
  void headersStayStrict() throws IOException {
    RawSafetensors.write(
        folder,
        "model.safetensors",
        "{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,NaN]}}",
        new byte[1]);
    assertThat(refusal()).hasMessageContaining("model.safetensors");
    RawSafetensors.write(folder, "model.safetensors", MARK + ONE, new byte[1]);
    assertThat(refusal()).hasMessageContaining("must begin with");
  }

  @Test
  void aConfigThatIsALinkToNothing() throws IOException {
    Files.createSymbolicLink(folder.resolve("config.json"), Path.of("../../blobs/gone"));
    CheckpointException refused = refusal();
    assertThat(refused)
        .hasMessageContaining("config.json: is a link to nothing")
        .hasMessageContaining("blobs/gone");
    Files.delete(folder.resolve("config.json"));
    config("{}");
    Checkpoint.open(folder).close();
  }

  @Test
  void anIndexThatIsALinkToNothing() throws IOException {
    Files.delete(folder.resolve("model.safetensors"));
    Files.createSymbolicLink(folder.resolve(CheckpointFiles.INDEX), Path.of("gone"));
    assertThat(refusal()).hasMessageContaining(CheckpointFiles.INDEX + ": is a link to nothing");
  }

  @Test
  void weightsThatAreALinkToNothing() throws IOException {
    Files.delete(folder.resolve("model.safetensors"));
    Files.createSymbolicLink(folder.resolve("model.safetensors"), Path.of("gone"));
    assertThat(refusal()).hasMessageContaining("model.safetensors: is a link to nothing");
  }

  @Test
  void aModelThatIsALinkToNothing() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("snapshot"), Path.of("gone"));
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(link).close());
    assertThat(refused).hasMessageContaining("snapshot: is a link to nothing");
  }

  @Test
  void aFolderInPlaceOfTheConfig() throws IOException {
    Files.createDirectory(folder.resolve("config.json"));
    assertThat(refusal()).hasMessageContaining("config.json: expected a file, found a folder");
  }

  @Test
  void noConfigIsSaid() {
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.warnings()).singleElement().asString().contains("has no config.json");
    }
  }
}
