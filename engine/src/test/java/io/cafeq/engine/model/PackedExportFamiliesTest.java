package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The packed formats on the miniature of every family: what an export holds is proven by reading it
 * back, or the format says why it cannot hold the model.
 */
class PackedExportFamiliesTest {
  /** Stacks of experts, and weights stored as [in, out]. */
  private static final Set<String> REFUSED = Set.of("gpt2", "llama4", "gpt_oss", "gpt_oss_dense");

  @TempDir Path folder;

  static Stream<Arguments> familiesAndTargets() {
    return Miniature.NAMES.stream()
        .flatMap(
            name ->
                Stream.of("compressed-tensors", "mlx", "gptq")
                    .map(target -> Arguments.of(name, target)));
  }

  @ParameterizedTest
  @MethodSource("familiesAndTargets")
  void everyFamilyIsProvenOrRefusedWithAReason(String name, String target) {
    Miniature.inFloat32(name, 5).write(folder.resolve("source"), Miniature.Spread.APART);
    Path result = folder.resolve("result");
    QuantizedFolder.make(
        folder.resolve("source"),
        result,
        Map.of("target", target, "group", "32", "steps", "5", "pair-steps", "5"),
        false,
        new DrawnStatistics(1, ""));
    Path export = folder.resolve("export");
    ExportRequest request = new ExportRequest(result, target, export, Map.of());
    if (Manifest.read(result).totals().quantizedWeights() == 0) {
      // mlx has no groups for such narrow matrices
      assertThatThrownBy(() -> Exports.run(request, new StopFlag(), ExportProgress.NONE))
          .hasMessageContaining("no tensor is quantized");
    } else if (REFUSED.contains(name)) {
      assertThatThrownBy(() -> Exports.run(request, new StopFlag(), ExportProgress.NONE))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("format " + target + " cannot hold this result")
          .message()
          .containsAnyOf("several experts", "transposed");
    } else {
      Exports.run(request, new StopFlag(), ExportProgress.NONE);
      List<String> faults = Exports.verify(export, Optional.of(result), new StopFlag());
      assertThat(faults).isEmpty();
    }
  }
}
