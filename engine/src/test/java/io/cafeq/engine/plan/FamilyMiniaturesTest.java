package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Plans of miniatures of some 150 families, beside the project. What must keep its bytes is written
 * down here once more, from what the families compute and not from how the planner finds it.
 */
class FamilyMiniaturesTest {
  private static final Path FOLDER =
      Path.of("..", "..", "shared", "data", "families").toAbsolutePath().normalize();

  private static final Pattern LAYER = Pattern.compile("(?:.*\\.)?(?:layers|h|blocks)\\.\\d+\\..*");
  private static final Pattern OTHER_MODALITY =
      Pattern.compile(
          ".*(?:vision|visual|audio|image_embed|mm_projector|multi_modal|patch_merger|connector|vit_).*");
  private static final Pattern STEERING =
      Pattern.compile(
          String.join(
              "|",
              List.of(
                  ".*\\.(?:mlp|moe|feed_forward|block_sparse_moe|mixer|ffn)\\.gate(?:\\.(?!_proj).*)?",
                  "layers\\.\\d+\\.gate\\..*",
                  ".*router.*",
                  ".*shared_expert_gate.*",
                  ".*norm\\.[^.]*(?:\\.weight)?",
                  ".*(?:A_log|\\.D|dt_bias)",
                  ".*conv[^.]*\\.weight",
                  ".*sconv.*",
                  ".*static_w",
                  ".*\\.in_proj_(?:a|b|ba)\\..*",
                  ".*\\.[ab]_proj\\..*",
                  ".*sink_proj.*",
                  ".*weights_proj.*",
                  ".*\\.(?:x|dt)_proj[._].*",
                  ".*(?:hc_|hyper_connection).*",
                  ".*(?:altup|laurel).*",
                  ".*(?:ngram_embedding|embed_tokens_per_layer|\\.ape|compress_ape|compress_gate|rel_logits_proj|tid2eid).*",
                  ".*\\.[fg]_[ab]_proj\\..*",
                  ".*adapter_list.*",
                  ".*\\.scale",
                  ".*bias",
                  ".*(?:decay|slope_rate|time_mix).*",
                  ".*rg_lru.*")));

  /** Gates of whole heads, in families whose other gates are as wide as the attention. */
  private static final int MOST_HEADS = 8;

  private static final Pattern HEAD_GATE =
      Pattern.compile(".*(?:attn|attention)\\.(?:g_proj|gate_proj)\\.weight");

  static Stream<Path> miniatures() throws IOException {
    Assumptions.assumeTrue(Files.isDirectory(FOLDER), "no miniatures beside the project");
    try (Stream<Path> folders = Files.list(FOLDER)) {
      return folders.sorted().toList().stream();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("miniatures")
  void theLayersAreQuantizedAndWhatSteersIsNot(Path folder) {
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Plan plan = Planner.plan(checkpoint, Recipe.of(Map.of()));
      long quantized = 0;
      long all = 0;
      for (Unit unit : plan.units()) {
        for (PlannedTensor tensor : unit.tensors()) {
          boolean isQuantized = unit instanceof Unit.Quantized && tensor.role().isLinear();
          if (isQuantized) {
            assertThat(mayBeQuantized(tensor)).as(tensor.name()).isTrue();
          }
          if (mayBeQuantized(tensor)) {
            all += tensor.info().elements();
            quantized += isQuantized ? tensor.info().elements() : 0;
          }
        }
      }
      assertThat(all).isPositive();
      assertThat((double) quantized / all)
          .as("part of the layers' matrix weights")
          .isGreaterThanOrEqualTo(.95);
      plan.coverage().require(.5, folder.toString());
    }
  }

  @Test
  void thereAreAsManyAsThereShouldBe() throws IOException {
    assertThat(miniatures()).hasSize(149);
  }

  private static boolean mayBeQuantized(PlannedTensor tensor) {
    String name = tensor.name();
    List<Long> shape = tensor.info().shape();
    boolean weighsHeads = HEAD_GATE.matcher(name).matches() && shape.getFirst() <= MOST_HEADS;
    return (shape.size() == 2 || shape.size() == 3)
        && LAYER.matcher(name).matches()
        && !weighsHeads
        && !OTHER_MODALITY.matcher(name).matches()
        && !STEERING.matcher(name).matches();
  }
}
