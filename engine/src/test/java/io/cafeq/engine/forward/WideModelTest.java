package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Numerics;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.DoubleTensor;
import io.cafeq.engine.model.Model;
import io.cafeq.engine.model.StoredTensors;
import io.cafeq.engine.model.Weights;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.weights.CheckpointWeights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Matrices of more than one slab: 5000 x 256 and 256 x 5000 in the layer, 9000 x 256 in the head.
 */
@Numerics
class WideModelTest {
  private static final int VOCABULARY = 9000;
  private static final List<int[]> WINDOWS = SmallRun.windows(2, 9, VOCABULARY);

  @TempDir Path folder;

  @BeforeEach
  void write() {
    SampleShape shape =
        new SampleShape(
            1,
            256,
            5000,
            4,
            2,
            VOCABULARY,
            Dtype.BF16,
            true,
            SampleShape.Distribution.GAUSSIAN,
            0,
            Long.MAX_VALUE);
    SampleCheckpoint.write(shape, 1, folder, new StopFlag());
  }

  @Test
  void statesAndLogitsAreThoseOfThePassInDouble() {
    Weights weights = StoredTensors.read(folder);
    List<double[]> states = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      for (int[] window : WINDOWS) {
        states.addAll(
            List.of(
                io.cafeq.engine.model.ForwardPass.of(Model.of(checkpoint.config().json(), weights))
                    .run(window)
                    .hidden()));
      }
    }
    List<double[]> found = SmallRun.states(folder, WINDOWS, SmallRun.PLENTY, InputObserver.NONE);
    assertThat(Judge.distance(found, states)).isLessThan(1e-4);
    assertThat(SmallRun.states(folder, WINDOWS, SmallRun.least(folder, 9), InputObserver.NONE))
        .usingRecursiveComparison()
        .isEqualTo(found);
    List<double[]> logits = logits(weights.get("model.embed_tokens.weight"), states);
    assertThat(Judge.distance(Logits.of(folder, WINDOWS), logits)).isLessThan(1e-4);
    assertThat(Judge.distance(cached(), logits.subList(0, 9))).isLessThan(1e-4);
  }

  private static List<double[]> logits(DoubleTensor head, List<double[]> states) {
    List<double[]> logits = new ArrayList<>();
    for (double[] state : states) {
      double[] row = new double[VOCABULARY];
      for (int entry = 0; entry < VOCABULARY; entry++) {
        for (int i = 0; i < state.length; i++) {
          row[entry] += state[i] * head.at(0, entry, i);
        }
      }
      logits.add(row);
    }
    return logits;
  }

  /** The first window, token by token. */
  private List<double[]> cached() {
    List<double[]> logits = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane();
        CachedPass pass =
            CachedPass.open(weights, lane.products(), 1, 9, SmallRun.PLENTY, new StopFlag())) {
      for (int token : WINDOWS.getFirst()) {
        logits.addAll(Judge.rows(pass.step(new int[] {token})));
      }
    }
    return logits;
  }
}
