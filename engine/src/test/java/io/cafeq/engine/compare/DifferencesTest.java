package io.cafeq.engine.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DifferencesTest {
  @TempDir Path folder;

  @BeforeEach
  void writeModel() {
    write("source", 1);
  }

  private void write(String name, long seed) {
    SampleShape shape =
        new SampleShape(
            1, 64, 128, 2, 2, 32, Dtype.BF16, false, SampleShape.Distribution.STUDENT, 0, 1L << 30);
    SampleCheckpoint.write(shape, seed, folder.resolve(name), new StopFlag());
  }

  private Differences differences(String first, String second) {
    RemoteSettings remote = RemoteSettings.defaults();
    try (TensorSet one = TensorSet.open(folder.resolve(first).toString(), remote);
        TensorSet two = TensorSet.open(folder.resolve(second).toString(), remote)) {
      return Differences.of(one, two, new StopFlag());
    }
  }

  @Test
  void aCheckpointIsItself() {
    Differences none = differences("source", "source");
    assertThat(none.isNone()).isTrue();
    assertThat(none.relativeError()).isZero();
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("source"))) {
      assertThat(none.tensors()).hasSameSizeAs(checkpoint.tensors());
    }
  }

  @Test
  void independentWeightsAreTheSquareRootOfTwoApart() {
    write("other", 2);
    Differences differences = differences("source", "other");
    assertThat(differences.isNone()).isFalse();
    assertThat(differences.tensors())
        .filteredOn(tensor -> tensor.name().endsWith("proj.weight"))
        .hasSize(7)
        .allSatisfy(tensor -> assertThat(tensor.relativeError()).isCloseTo(1.41, within(0.12)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"compressed-tensors", "mlx", "gptq", "dense"})
  void anExportIsItsResultAndAsFarFromTheSource(String format) {
    QuantizedFolder.make(
        folder.resolve("source"),
        folder.resolve("result"),
        Map.of(
            "target", format.equals("dense") ? "none" : format, "pairs", "false", "group", "64"));
    Exports.run(
        new ExportRequest(folder.resolve("result"), format, folder.resolve("export"), Map.of()),
        new StopFlag(),
        ExportProgress.NONE);
    Differences same = differences("result", "export");
    assertThat(same.onlyFirst()).isEmpty();
    assertThat(same.onlySecond()).isEmpty();
    // a dense export is rounded to the source's type
    assertThat(same.relativeError()).isLessThan(format.equals("dense") ? 0.003 : 1e-9);
    Differences fromSource = differences("source", "export");
    assertThat(fromSource.relativeError()).isBetween(0.03, 0.15);
    assertThat(fromSource.tensors()).filteredOn(tensor -> tensor.squaredError() > 0).hasSize(7);
  }

  @Test
  void whatOnlyOneHasIsNamed() {
    QuantizedFolder.make(folder.resolve("source"), folder.resolve("result"), Map.of());
    SampleShape wide =
        new SampleShape(
            2, 64, 96, 2, 2, 32, Dtype.F32, false, SampleShape.Distribution.GAUSSIAN, 0, 1L << 30);
    SampleCheckpoint.write(wide, 1, folder.resolve("wide"), new StopFlag());
    Differences differences = differences("result", "wide");
    assertThat(differences.otherShapes())
        .containsExactly(
            "model.layers.0.mlp.down_proj.weight",
            "model.layers.0.mlp.gate_proj.weight",
            "model.layers.0.mlp.up_proj.weight");
    assertThat(differences.onlyFirst()).isEmpty();
    assertThat(differences.onlySecond()).hasSize(9).allMatch(name -> name.contains("layers.1."));
  }
}
