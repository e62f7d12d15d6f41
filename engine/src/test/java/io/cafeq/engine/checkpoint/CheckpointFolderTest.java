package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a folder holds, and what is taken for the model. */
class CheckpointFolderTest {
  private static final String ONE = "{" + entry("w", "U8", "[1]", 0, 1) + "}";

  @TempDir private Path folder;

  private EngineException refusal(Path path) {
    EngineException refused =
        catchThrowableOfType(EngineException.class, () -> Checkpoint.open(path).close());
    assertThat(refused).as("a refusal").isNotNull();
    assertThat(refused.remedy()).isNotBlank();
    return refused;
  }

  private void touch(String... names) throws IOException {
    for (String name : names) {
      Path file = folder.resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, "x");
    }
  }

  private static List<String> leftOut(Checkpoint checkpoint) {
    return checkpoint.leftOut().stream().map(LeftOut::name).toList();
  }

  @Test
  void refusesAPathThatDoesNotExist() {
    EngineException refused = refusal(folder.resolve("gone"));
    assertThat(refused.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(refused).hasMessageContaining("gone: no such file or folder");
  }

  @Test
  void refusesAnEmptyFolder() {
    assertThat(refusal(folder))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("found no weights at all");
  }

  @Test
  void refusesAFolderWithWeightsOfOtherFormats() throws IOException {
    touch("pytorch_model.bin", "model.gguf", "config.txt");
    EngineException refused = refusal(folder);
    assertThat(refused)
        .hasMessageContaining("only weights of other formats: model.gguf and 1 more");
    assertThat(refused.remedy()).contains("Convert");
  }

  @Test
  void refusesAFileOfAnotherFormat() throws IOException {
    touch("model.bin");
    assertThat(refusal(folder.resolve("model.bin")))
        .hasMessageContaining("expected a .safetensors file, found \"model.bin\"");
  }

  @Test
  void refusesSeveralFilesWithoutAnIndex() throws IOException {
    touch("a.safetensors", "b.safetensors");
    assertThat(refusal(folder))
        .hasMessageContaining("2 .safetensors files")
        .hasMessageContaining("but no " + CheckpointFiles.INDEX);
  }

  @Test
  void refusesOneShardOfSeveralWithoutAnIndex() throws IOException {
    RawSafetensors.write(folder, "model-00002-of-00003.safetensors", ONE, new byte[1]);
    assertThat(refusal(folder)).hasMessageContaining("model-00002-of-00003.safetensors, but no");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"model.safetensors", "adapter.safetensors", "model-00001-of-00001.safetensors"})
  void opensASingleFileOfAnyName(String name) throws IOException {
    RawSafetensors.write(folder, name, ONE, new byte[1]);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().getFirst().file()).isEqualTo(name);
      assertThat(checkpoint.config().json().isEmpty()).isTrue();
    }
  }

  @Test
  void prefersTheSingleFileToAnIndexThatDoesNotKnowIt() throws IOException {
    RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
    Files.writeString(
        folder.resolve(CheckpointFiles.INDEX), "{\"weight_map\":{\"x\":\"gone.safetensors\"}}");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors()).hasSize(1);
      assertThat(leftOut(checkpoint)).containsExactly(CheckpointFiles.INDEX);
    }
  }

  @Test
  void believesAnIndexThatKnowsTheSingleFile() throws IOException {
    RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
    Files.writeString(
        folder.resolve(CheckpointFiles.INDEX),
        "{\"weight_map\":{\"w\":\"model.safetensors\",\"v\":\"model.safetensors\"}}");
    assertThat(refusal(folder)).hasMessageContaining("tensor \"v\" is missing");
  }

  @Test
  void sortsOutWhatGoesAlong() throws IOException {
    RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
    Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"llama\"}");
    touch(
        "README.md",
        "LICENSE",
        "tokenizer.json",
        "chat_template.jinja",
        "modeling.py",
        "unheard.of");
    touch("templates/tool.jinja", ".gitattributes", ".cache/x", "sub/.hidden");
    touch(
        "pytorch_model.BIN",
        "pytorch_model.bin.index.json",
        "other.safetensors",
        "onnx/model.onnx",
        "m.gguf",
        "w.pth");
    Files.createSymbolicLink(folder.resolve("up"), Path.of("templates"));
    Files.createSymbolicLink(folder.resolve("lost"), Path.of("gone"));
    try (RandomAccessFile file = new RandomAccessFile(folder.resolve("large.dat").toFile(), "rw")) {
      file.setLength(SideFiles.LARGEST + 1);
    }
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.sideFiles())
          .containsExactly(
              "LICENSE",
              "README.md",
              "chat_template.jinja",
              "config.json",
              "modeling.py",
              "templates/tool.jinja",
              "tokenizer.json",
              "unheard.of");
      assertThat(leftOut(checkpoint))
          .containsExactly(
              ".cache",
              ".gitattributes",
              "large.dat",
              "lost",
              "m.gguf",
              "onnx",
              "other.safetensors",
              "pytorch_model.BIN",
              "pytorch_model.bin.index.json",
              "sub/.hidden",
              "up",
              "w.pth");
    }
  }

  @Test
  void leavesOutFoldersWithVeryManyFiles() throws IOException {
    RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
    for (int i = 0; i < 257; i++) {
      touch("many/" + i);
    }
    touch("1/2/3/4/5/6/7/8/9/deep", "few/1");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(leftOut(checkpoint)).containsExactly("1", "many");
      assertThat(checkpoint.sideFiles()).containsExactly("few/1");
    }
  }

  @Test
  void takesNothingAlongWithASingleFileUnlessItLiesInAModelFolder() throws IOException {
    Path file = RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
    touch("tax.pdf");
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(checkpoint.sideFiles()).isEmpty();
    }
    Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"llama\"}");
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(checkpoint.sideFiles()).containsExactly("config.json", "tax.pdf");
      assertThat(checkpoint.config().json().path("model_type").asText()).isEqualTo("llama");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"[]", "{\"a\":1,\"a\":2}", "{", "", "{} x"})
  void refusesAConfigThatIsNoObject(String config) throws IOException {
    RawSafetensors.write(folder, "model.safetensors", ONE, new byte[1]);
    Files.writeString(folder.resolve("config.json"), config);
    assertThat(refusal(folder))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("config.json");
  }
}
