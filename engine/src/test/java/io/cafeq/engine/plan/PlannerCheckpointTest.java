package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.engine.checkpoint.Checkpoint;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PlannerCheckpointTest {
  @Test
  void plansAModelThatAnotherProgramWrote() {
    Optional<Path> model =
        Stream.iterate(Path.of("").toAbsolutePath(), path -> path != null, Path::getParent)
            .map(path -> path.resolve("shared/data/tinystories-656k"))
            .filter(Files::isDirectory)
            .findFirst();
    assumeTrue(model.isPresent(), "no shared/data/tinystories-656k beside the repository");
    try (Checkpoint checkpoint = Checkpoint.open(model.get())) {
      Plan plan = Planner.plan(checkpoint, Headers.recipe("embeddings", "8"));
      assertThat(plan.family()).isEqualTo("llama");
      assertThat(plan.warnings()).isEmpty();
      assertThat(Headers.quantized(plan))
          .hasSize(13)
          .containsEntry("lm_head", "no transform, whole rows, zero-point, 8 bits")
          .containsEntry(
              "model.layers.1.self_attn.q_proj", "no transform, whole rows, zero-point, 4 bits")
          .containsEntry("model.layers.1.mlp.gate_up", "input k=16, whole rows, symmetric, 4 bits")
          .containsEntry(
              "model.layers.1.mlp.down_proj", "output k=8, group 128, zero-point, 4 bits");
      assertThat(plan.units().stream().flatMap(unit -> Headers.names(unit).stream()))
          .hasSize(checkpoint.tensors().size())
          .doesNotHaveDuplicates();
    }
  }
}
