package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.weights.CheckpointWeights;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What models write, and that they wrote it with the probabilities that the ordinary pass gives.
 */
class SelfTextTest {
  private static final int WINDOWS = 3;
  private static final int LENGTH = 24;

  @TempDir Path folder;

  static Stream<String> families() {
    return ForwardPassTest.families();
  }

  @ParameterizedTest
  @MethodSource("families")
  void probabilitiesAreThoseOfTheOrdinaryPass(String family) {
    Miniature.of(family, 1).write(folder, Miniature.Spread.ONE);
    List<int[]> texts = write(1, SmallRun.PLENTY);
    List<double[]> ordinary = Logits.of(folder, texts);
    List<double[]> cached = cachedLogits(texts);
    for (int window = 0; window < WINDOWS; window++) {
      for (int position = 0; position + 1 < LENGTH; position++) {
        int next = texts.get(window)[position + 1];
        double expected = logProbability(ordinary.get(window * LENGTH + position), next);
        double found = logProbability(cached.get(position * WINDOWS + window), next);
        assertThat(found).isBetween(expected - 1e-4, expected + 1e-4);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void theSeedDecidesAndMemoryDoesNot(String family) {
    Miniature.of(family, 1).write(folder, Miniature.Spread.ONE);
    List<int[]> first = write(1, SmallRun.PLENTY);
    assertThat(write(1, 2 * SmallRun.PLENTY)).containsExactlyElementsOf(first);
    assertThat(write(1, needed())).containsExactlyElementsOf(first);
    assertThat(write(2, SmallRun.PLENTY).getFirst()).isNotEqualTo(first.getFirst());
    assertThat(first.get(1)).isNotEqualTo(first.get(0));
  }

  @Test
  void tokensComeAsOftenAsTheirProbabilitiesSay() {
    TokenDraw draw = new TokenDraw(5000);
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix logits = FloatMatrix.allocate(arena, 2, 5000);
      for (int entry = 0; entry < 5000; entry++) {
        logits.set(1, entry, -100);
      }
      logits.set(1, 7, (float) Math.log(1));
      logits.set(1, 4095, (float) Math.log(2));
      logits.set(1, 4999, (float) Math.log(5));
      int[] counts = new int[5000];
      for (int i = 0; i < 800; i++) {
        counts[draw.from(logits, 1, (i + 0.5) / 800)]++;
      }
      assertThat(List.of(counts[7], counts[4095], counts[4999])).containsExactly(100, 200, 500);
    }
  }

  @Test
  void noTextBeginsWithASpecialToken() {
    Miniature.of("llama", 1).write(folder, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane()) {
      List<int[]> texts =
          SelfText.write(
              weights,
              lane.products(),
              8,
              2,
              1,
              SmallRun.PLENTY,
              new StopFlag(),
              token -> token != 3);
      assertThat(texts).allSatisfy(text -> assertThat(text[0]).isEqualTo(3));
    }
  }

  @Test
  void tooLittleMemoryIsSaidBeforehand() {
    Miniature.of("llama", 1).write(folder, Miniature.Spread.ONE);
    long needed = needed();
    assertThatThrownBy(() -> write(1, needed - 1))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e).hasMessageContaining("%,d bytes".formatted(needed));
              assertThat(e.remedy()).contains("--statistics text", "--max-memory");
            });
  }

  private List<int[]> write(long seed, long memory) {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane()) {
      return SelfText.write(
          weights, lane.products(), WINDOWS, LENGTH, seed, memory, new StopFlag(), token -> false);
    }
  }

  private long needed() {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      return CachedPass.needed(Decoder.of(weights), WINDOWS, LENGTH);
    }
  }

  /** Position by position, window by window. */
  private List<double[]> cachedLogits(List<int[]> texts) {
    List<double[]> all = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane();
        CachedPass pass =
            CachedPass.open(
                weights, lane.products(), WINDOWS, LENGTH, SmallRun.PLENTY, new StopFlag())) {
      for (int position = 0; position < LENGTH; position++) {
        int now = position;
        all.addAll(Judge.rows(pass.step(texts.stream().mapToInt(text -> text[now]).toArray())));
      }
    }
    return all;
  }

  private static double logProbability(double[] logits, int token) {
    double largest = Arrays.stream(logits).max().orElseThrow();
    return logits[token]
        - largest
        - Math.log(Arrays.stream(logits).map(x -> Math.exp(x - largest)).sum());
  }
}
