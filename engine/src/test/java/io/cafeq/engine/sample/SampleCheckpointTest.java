package io.cafeq.engine.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.sample.SampleShape.Distribution;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SampleCheckpointTest {
  private static final SampleShape SMALL =
      new SampleShape(
          2, 96, 200, 6, 2, 301, Dtype.BF16, true, Distribution.STUDENT, 0.05, 1L << 30);

  @TempDir private Path folder;

  private static Map<String, Integer> hashes(Path model) {
    Map<String, Integer> hashes = new TreeMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      for (TensorInfo tensor : checkpoint.tensors()) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment bytes = arena.allocate(tensor.bytes());
          checkpoint.read(tensor, 0, bytes);
          hashes.put(
              tensor.name(), java.util.Arrays.hashCode(bytes.toArray(ValueLayout.JAVA_BYTE)));
        }
      }
    }
    return hashes;
  }

  private Path write(String name, SampleShape shape, long seed) {
    Path model = folder.resolve(name);
    SampleCheckpoint.write(shape, seed, model, new StopFlag());
    return model;
  }

  @ParameterizedTest
  @EnumSource(
      value = Dtype.class,
      names = {"BF16", "F16", "F32"})
  void writesALlamaThatOpens(Dtype dtype) {
    try (Checkpoint checkpoint = Checkpoint.open(write("m", SMALL.withDtype(dtype), 1))) {
      assertThat(checkpoint.tensors())
          .hasSize(2 + 2 * 9)
          .allSatisfy(t -> assertThat(t.dtype()).isEqualTo(dtype));
      assertThat(checkpoint.tensor("model.layers.1.self_attn.k_proj.weight").orElseThrow().shape())
          .containsExactly(32L, 96L);
      assertThat(checkpoint.aliases()).containsEntry("lm_head.weight", "model.embed_tokens.weight");
      assertThat(checkpoint.config().json().path("model_type").asText()).isEqualTo("llama");
      assertThat(checkpoint.config().json().path("intermediate_size").asInt()).isEqualTo(200);
    }
  }

  @Test
  void anUntiedModelHasAnOutputLayer() {
    try (Checkpoint checkpoint = Checkpoint.open(write("m", SMALL.withTied(false), 1))) {
      assertThat(checkpoint.tensor("lm_head.weight")).isPresent();
      assertThat(checkpoint.aliases()).isEmpty();
    }
  }

  @Test
  void weightsDependOnSeedAndNameOnly() {
    Map<String, Integer> one = hashes(write("one", SMALL, 7));
    assertThat(hashes(write("again", SMALL.withLargestShard(40_000), 7))).isEqualTo(one);
    try (Checkpoint sharded = Checkpoint.open(folder.resolve("again"))) {
      assertThat(sharded.shards()).hasSizeGreaterThan(3);
    }
    assertThat(hashes(write("other", SMALL, 8)).entrySet())
        .doesNotContainAnyElementsOf(one.entrySet());
    assertThat(one.values()).as("no two tensors alike").doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @EnumSource(Distribution.class)
  void quantilesHaveMeanZeroAndVarianceOne(Distribution distribution) {
    float[] table = QuantileTable.of(distribution);
    double sum = 0;
    double squares = 0;
    double fourth = 0;
    for (int i = 0; i < table.length; i++) {
      assertThat(i == 0 || table[i] > table[i - 1]).as("rising at %d", i).isTrue();
      sum += table[i];
      squares += (double) table[i] * table[i];
      fourth += Math.pow(table[i], 4);
    }
    assertThat(sum / table.length).isEqualTo(0, within(1e-9));
    assertThat(squares / table.length).isEqualTo(1, within(1e-5));
    double kurtosis = fourth / table.length;
    switch (distribution) {
      case GAUSSIAN -> {
        assertThat(kurtosis).isEqualTo(3, within(0.01));
        assertThat(table[table.length * 3 / 4]).isEqualTo(0.67449f, within(1e-3f));
      }
      case STUDENT -> assertThat(kurtosis).isGreaterThan(6);
    }
  }

  @Test
  void someChannelsStandOut() {
    SampleShape shape =
        new SampleShape(
            1, 512, 64, 4, 4, 64, Dtype.F32, true, Distribution.GAUSSIAN, 0.05, 1L << 30);
    try (Checkpoint checkpoint = Checkpoint.open(write("m", shape, 3));
        Arena arena = Arena.ofConfined()) {
      FloatMatrix weights = FloatMatrix.allocate(arena, 512, 512);
      checkpoint.readFloats(
          checkpoint.tensor("model.layers.0.self_attn.q_proj.weight").orElseThrow(), 0, 0, weights);
      int outliers = 0;
      for (int column = 0; column < 512; column++) {
        double squares = 0;
        for (int row = 0; row < 512; row++) {
          squares += Math.pow(weights.get(row, column), 2);
        }
        double deviation = Math.sqrt(squares / 512);
        assertThat(deviation < 0.03 || deviation > 0.06)
            .as("column %d has %f", column, deviation)
            .isTrue();
        outliers += deviation > 0.06 ? 1 : 0;
      }
      assertThat(outliers).isBetween(10, 50);
    }
  }

  @Test
  void theDemoHasTenToTwentyMillionWeights() {
    assertThat(SampleShape.demo().bytes() / 2).isBetween(10_000_000L, 20_000_000L);
  }

  @ParameterizedTest
  @ValueSource(
      longs = {
        1_000_000,
        2_500_000,
        30_000_000,
        600_000_000,
        1_000_000_000,
        4_000_000_000L,
        12_000_000_000L,
        140_000_000_000L
      })
  void comesCloseToTheBytesAskedFor(long bytes) {
    SampleShape shape = SampleShape.ofBytes(bytes);
    assertThat(shape.bytes()).isBetween(bytes / 10 * 9, bytes);
    assertThat(shape.layers()).isGreaterThanOrEqualTo(4);
  }

  @Test
  void refusesAFolderThatHoldsSomething() throws IOException {
    Files.writeString(folder.resolve("mine"), "x");
    EngineException refused =
        catchThrowableOfType(
            EngineException.class, () -> SampleCheckpoint.write(SMALL, 1, folder, new StopFlag()));
    assertThat(refused.kind()).isEqualTo(FailureKind.USAGE);
  }

  @Test
  void leavesNoWeightsWhereItIsStopped() throws IOException {
    StopFlag stop = new StopFlag();
    stop.stop();
    assertThatThrownBy(() -> SampleCheckpoint.write(SMALL, 1, folder, stop))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.STOPPED));
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }
}
