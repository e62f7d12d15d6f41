package io.cafeq.engine.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Estimates from names to files, of every family. */
class EstimateFamiliesTest {
  static final List<String> NAMES = FamilyShapes.NAMES;
  private static final StopFlag STOP = new StopFlag();
  private static final Recipe RECIPE =
      Recipe.of(Map.of("statistics", "weights", "method", "rtn", "group", "32"));

  @TempDir private Path folder;
  private Path model;
  private Path root;

  @BeforeEach
  void folders() throws IOException {
    model = folder.resolve("model");
    root = Files.createDirectory(folder.resolve("out"));
  }

  @ParameterizedTest
  @FieldSource("NAMES")
  void everyInputOfAQuantizedMatrixIsEstimated(String family) throws IOException {
    Miniature.of(family, 7).write(model, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint);
      StatisticsFolder files = take(checkpoint, plan);
      InputStatistics statistics = files.stored(checkpoint, STOP);
      int inputs = 0;
      for (int layer : plan.inputs().layers()) {
        for (MatrixInput input : plan.inputs().of(layer)) {
          try (Arena arena = Arena.ofConfined()) {
            boolean together =
                plan.inputs().of(layer).stream()
                    .anyMatch(other -> other.fallBack().filter(input.name()::equals).isPresent());
            if (!together) {
              inputs++;
              InputMoments moments =
                  statistics.read(input, arena).orElseThrow(() -> new AssertionError(input));
              assertThat(moments.channels()).isEqualTo(input.channels());
              assertThat(moments.tokens()).isZero();
              assertThat(
                      moments.blocks().stream()
                          .mapToLong(block -> block.moments().segment().byteSize())
                          .sum())
                  .isEqualTo(statistics.bytes(input));
            }
          }
        }
        Path file = root.resolve("statistics").resolve(ResultLayout.layerName(layer));
        assertThat(Files.size(file)).isLessThanOrEqualTo(plan.fileBytes(layer));
      }
      EstimateKinds kinds = plan.estimates();
      assertThat(kinds.whole() + kinds.floors().values().stream().mapToInt(i -> i).sum())
          .isEqualTo(inputs);
      assertThat(bytes(root.resolve("statistics"))).isLessThanOrEqualTo(plan.fileBytes());
      assertThat(vectors()).doesNotExist();
    }
  }

  @Test
  void whatWasGatheredIsNotGatheredAgainAndGivesTheSameBytes() throws IOException {
    Miniature.of("qwen3_moe", 7).write(model, Miniature.Spread.ONE);
    Path straight = Files.createDirectory(folder.resolve("straight"));
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint);
      finish(checkpoint, plan, new StatisticsFolder(straight, checkpoint, plan));
    }
    killAfter(0);
    byte[] vectors = Files.readAllBytes(vectors());
    killAfter(1);
    assertThat(Files.readAllBytes(vectors())).isEqualTo(vectors);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint);
      StatisticsFolder again = again(checkpoint, plan);
      assertThat(again.missing()).containsExactly(1);
      assertThat(again.changedSource(STOP)).isEmpty();
      long hashing = checkpoint.bytesRead();

      finish(checkpoint, plan, again);

      // only one layer of two is read again, and no tensor is hashed twice
      assertThat(checkpoint.bytesRead() - hashing).isLessThan(hashing * 3 / 4);
    }
    assertThat(vectors()).doesNotExist();
    for (int layer = 0; layer < 2; layer++) {
      Path name = Path.of("statistics", ResultLayout.layerName(layer));
      assertThat(root.resolve(name)).hasSameBinaryContentAs(straight.resolve(name));
    }
  }

  @Test
  void damagedVectorsAreGatheredAgain() throws IOException {
    Miniature.of("llama", 7).write(model, Miniature.Spread.ONE);
    killAfter(1);
    byte[] vectors = Files.readAllBytes(vectors());
    byte[] damaged = vectors.clone();
    damaged[damaged.length - 2] ^= 1;
    Files.write(vectors(), damaged);

    killAfter(0);

    assertThat(Files.readAllBytes(vectors())).isEqualTo(vectors);
  }

  /** Ends a run when so many layers of two are there. */
  private void killAfter(int layers) {
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint);
      try (EstimatePass pass = EstimatePass.open(checkpoint, plan, again(checkpoint, plan), STOP)) {
        for (int layer = 0; layer < layers; layer++) {
          pass.next();
        }
      }
    }
  }

  @Test
  void anyWeightThatWasReadMakesTheEstimateOneOfAnotherModel() throws IOException {
    Miniature.of("llama", 7).write(model, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      take(checkpoint, plan(checkpoint));
    }
    Miniature other = Miniature.of("llama", 8);
    other.write(Files.createDirectory(folder.resolve("other")), Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("other"))) {
      StatisticsFolder files = again(checkpoint, plan(checkpoint));
      assertThat(files.missing()).isEmpty();
      assertThat(files.changedSource(STOP)).get().asString().contains("estimated from all layers");
    }
  }

  @Test
  void whatIsSaidOfAFileIsChecked() throws IOException {
    Miniature.of("llama", 7).write(model, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint);
      StatisticsFolder files = take(checkpoint, plan);
      String text = Files.readString(layer(0), StandardCharsets.ISO_8859_1);
      Files.writeString(
          layer(0),
          text.replace("\"kernel\":\"java\"", "\"kernel\":\"jova\""),
          StandardCharsets.ISO_8859_1);
      MatrixInput input = plan.inputs().of(0).iterator().next();
      try (Arena arena = Arena.ofConfined()) {
        assertThatThrownBy(() -> files.stored(checkpoint, STOP).read(input, arena))
            .hasMessageContaining("header");
      }
      assertThat(again(checkpoint, plan).missing()).containsExactly(0);
    }
  }

  @Test
  void aStopEndsBothPasses() throws IOException {
    Miniature.of("llama", 7).write(model, Miniature.Spread.ONE);
    StopFlag stopped = new StopFlag();
    stopped.stop();
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint);
      StatisticsFolder files = new StatisticsFolder(root, checkpoint, plan);
      assertThatThrownBy(() -> EstimatePass.open(checkpoint, plan, files, stopped))
          .hasMessageContaining("stopped");
    }
  }

  private static StatisticsPlan plan(Checkpoint checkpoint) {
    return StatisticsPlan.of(checkpoint, Planner.plan(checkpoint, RECIPE), RECIPE);
  }

  private StatisticsFolder take(Checkpoint checkpoint, StatisticsPlan plan) {
    StatisticsFolder files = new StatisticsFolder(root, checkpoint, plan);
    finish(checkpoint, plan, files);
    return files;
  }

  private static void finish(Checkpoint checkpoint, StatisticsPlan plan, StatisticsFolder files) {
    try (EstimatePass pass = EstimatePass.open(checkpoint, plan, files, STOP)) {
      while (!files.missing().isEmpty()) {
        pass.next();
      }
    }
  }

  private StatisticsFolder again(Checkpoint checkpoint, StatisticsPlan plan) {
    StatisticsFolder again = new StatisticsFolder(root, checkpoint, plan);
    again.keepIntact(again.storedTokens().orElseThrow(), STOP);
    return again;
  }

  private Path layer(int number) {
    return root.resolve("statistics").resolve(ResultLayout.layerName(number));
  }

  private Path vectors() {
    return root.resolve("statistics").resolve(ResultLayout.vectorsName());
  }

  private static long bytes(Path folder) throws IOException {
    long bytes = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }
}
