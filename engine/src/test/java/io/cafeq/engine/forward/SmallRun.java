package io.cafeq.engine.forward;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.weights.CheckpointWeights;
import io.cafeq.engine.weights.SpilledStates;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Runs small checkpoints. */
public final class SmallRun {
  /** Plenty for a miniature. */
  public static final long PLENTY = 64L << 20;

  private SmallRun() {}

  /** Windows of seeded tokens, the last one shorter. */
  public static List<int[]> windows(int count, int length, int vocabulary) {
    SplittableRandom random = new SplittableRandom(count * 1000L + length);
    List<int[]> windows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      windows.add(
          random.ints(i == count - 1 ? length - length / 3 : length, 0, vocabulary).toArray());
    }
    return windows;
  }

  /** The last states of all tokens. */
  public static List<double[]> states(
      Path folder, List<int[]> windows, long memory, InputObserver observer) {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane();
        ForwardPass pass =
            ForwardPass.open(
                weights,
                lane.products(),
                windows,
                memory,
                SpilledStates.in(folder),
                new StopFlag())) {
      for (int layer = 0; layer < pass.layers(); layer++) {
        pass.layer(layer, observer);
      }
      List<double[]> states = new ArrayList<>();
      pass.end((window, last) -> states.addAll(Judge.rows(last)));
      return states;
    }
  }

  public static long least(Path folder, int windowLength) {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      return ForwardPass.memoryNeeded(weights, windowLength);
    }
  }
}
