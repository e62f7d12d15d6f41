package io.cafeq.engine.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.SampleResult;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.quantize.Progress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DenseExportTest {
  @TempDir Path folder;

  @Test
  void theExportIsAnOrdinaryCheckpointOfTheEffectiveWeights() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    Path out = folder.resolve("out");
    DenseExport.run(sample.result, out, new StopFlag(), Progress.NONE);
    try (Checkpoint exported = Checkpoint.open(out);
        Checkpoint source = Checkpoint.open(sample.source);
        ResultReader result = ResultReader.open(sample.result)) {
      assertThat(exported.aliases()).isEqualTo(source.aliases());
      assertThat(exported.tensors()).isEqualTo(source.tensors());
      assertThat(out.resolve("extra/template.txt")).hasContent("hello");
      for (TensorInfo info : exported.tensors()) {
        if (result.header(info.name()).isRaw()) {
          assertThat(bytes(exported, info)).isEqualTo(bytes(source, info));
        } else {
          result.forEachSlab(info.name(), (firstRow, weights) -> compare(exported, info, (int) firstRow, weights));
        }
      }
    }
    assertThat(Files.exists(folder.resolve("out.export-part"))).isFalse();
  }

  private static byte[] bytes(Checkpoint checkpoint, TensorInfo info) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(Math.max(1, info.bytes())).asSlice(0, info.bytes());
      checkpoint.read(info, 0, segment);
      return segment.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** Nearest to even: no neighbour in the type is closer, so half a unit in the last place bounds the difference. */
  private static void compare(Checkpoint exported, TensorInfo info, int firstRow, FloatMatrix weights) {
    double unit = switch (info.dtype()) {
      case BF16 -> 0x1p-8;
      case F16 -> 0x1p-11;
      default -> 0;
    };
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix found = FloatMatrix.allocate(arena, weights.rows(), weights.columns());
      exported.readFloats(info, firstRow, 0, found);
      for (int i = 0; i < weights.elements(); i++) {
        float effective = weights.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
        double difference = Math.abs((double) found.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i) - effective);
        assertThat(difference).isLessThanOrEqualTo(unit * Math.max(0x1p-14, Math.abs(effective)));
      }
    }
  }

  @Test
  void aSingleFileGetsTheNameThatLoadersLookFor() {
    Manifest.TensorEntry one =
        new Manifest.TensorEntry("w", Dtype.F16, List.of(1L), "model-00001-of-00001.safetensors", "u");
    Manifest.TensorEntry other = new Manifest.TensorEntry("v", Dtype.F16, List.of(1L), "b.safetensors", "u");
    assertThat(DenseExport.shards(List.of(one))).extracting(shard -> shard.file()).containsExactly("model.safetensors");
    assertThat(DenseExport.shards(List.of(one, other))).extracting(shard -> shard.file())
        .containsExactly("model-00001-of-00001.safetensors", "b.safetensors");
  }

  @Test
  void foldersInUseAreRefused() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    usage(sample.result, sample.result.resolve("inside"), "one another");
    usage(sample.result, folder, "one another");
    usage(sample.result, sample.source, "not empty");
    Files.delete(sample.result.resolve(Manifest.FILE));
    assertThatThrownBy(() -> DenseExport.run(sample.result, folder.resolve("o"), new StopFlag(), Progress.NONE))
        .hasMessageContaining("partial");
    assertThat(folder.resolve("o")).doesNotExist();
  }

  @Test
  void aStoppedExportLeavesNothingAndAnEmptyFolderIsTaken() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    Path out = Files.createDirectory(folder.resolve("out"));
    StopFlag stop = new StopFlag();
    assertThatThrownBy(() -> DenseExport.run(sample.result, out, stop, weights -> stop.stop()))
        .isInstanceOfSatisfying(EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.STOPPED));
    assertThat(out).isEmptyDirectory();
    assertThat(folder.resolve("out.export-part")).doesNotExist();
    DenseExport.run(sample.result, out, new StopFlag(), Progress.NONE);
    assertThat(out.resolve("model.safetensors.index.json")).exists();
  }

  @Test
  void weightsThatDoNotFitTheirTypeAreAnErrorThatNamesThem() {
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix weights = FloatMatrix.allocate(arena, 2, 3);
      weights.set(1, 2, 70000f);
      WeightEncoder encoder = new WeightEncoder(arena);
      assertThatThrownBy(() -> encoder.encode(new Entry("w", Dtype.F16, List.of(10L, 3L)), 5, weights, piece -> {}))
          .isInstanceOf(EngineException.class).hasMessageContaining("tensor w, row 6, column 2: the weight 70000.0");
      encoder.encode(new Entry("w", Dtype.BF16, List.of(10L, 3L)), 5, weights,
          piece -> assertThat(piece.byteSize()).isEqualTo(12));
    }
  }

  private static void usage(Path result, Path out, String message) {
    assertThatThrownBy(() -> DenseExport.run(result, out, new StopFlag(), Progress.NONE))
        .isInstanceOfSatisfying(EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE))
        .hasMessageContaining(message);
  }
}
