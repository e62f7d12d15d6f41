package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Files that other programs wrote, where they are at hand. */
class SharedSamplesTest {
  private Path data;

  @BeforeEach
  void findData() {
    Optional<Path> found =
        Stream.iterate(Path.of("").toAbsolutePath(), p -> p != null, Path::getParent)
            .map(p -> p.resolve("shared/data"))
            .filter(Files::isDirectory)
            .findFirst();
    assumeTrue(found.isPresent(), "no ../shared/data here");
    data = found.get();
  }

  @Test
  void opensOneFileForEachDtype() throws IOException {
    try (Stream<Path> files = Files.list(data.resolve("safetensors-samples"))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
          assertThat(checkpoint.tensors())
              .isNotEmpty()
              .allSatisfy(t -> assertThat(t.shape()).containsExactly(6L));
          assertThat(checkpoint.metadata()).containsEntry("test", "a");
          assertThat(checkpoint.sideFiles()).isEmpty();
        }
      }
    }
    try (Checkpoint checkpoint =
        Checkpoint.open(data.resolve("safetensors-samples/overall.safetensors"))) {
      assertThat(checkpoint.tensors().stream().map(TensorInfo::dtype))
          .containsExactly(
              Dtype.U8, Dtype.U16, Dtype.U32, Dtype.I8, Dtype.F64, Dtype.F16, Dtype.F32, Dtype.I16,
              Dtype.I32);
    }
  }

  @Test
  void opensAModelWithATiedEmbedding() throws IOException {
    Path folder = data.resolve("tinystories-656k");
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Arena arena = Arena.ofConfined()) {
      assertThat(checkpoint.aliases())
          .containsOnly(java.util.Map.entry("model.embed_tokens.weight", "lm_head.weight"));
      assertThat(checkpoint.config().json().path("model_type").asText()).isEqualTo("llama");
      assertThat(checkpoint.sideFiles())
          .containsExactlyElementsOf(
              List.of(
                  "config.json",
                  "generation_config.json",
                  "special_tokens_map.json",
                  "tokenizer.json",
                  "tokenizer_config.json"));
      assertThat(checkpoint.leftOut()).isEmpty();

      TensorInfo down = checkpoint.tensor("model.layers.0.mlp.down_proj.weight").orElseThrow();
      FloatMatrix part = FloatMatrix.allocate(arena, 3, 5);
      checkpoint.readFloats(down, 7, 300, part);
      ByteBuffer file =
          ByteBuffer.wrap(Files.readAllBytes(folder.resolve("model.safetensors")))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 5; column++) {
          int position = Math.toIntExact(down.position()) + ((7 + row) * 384 + 300 + column) * 4;
          assertThat(part.get(row, column)).isEqualTo(file.getFloat(position));
        }
      }
    }
  }
}
