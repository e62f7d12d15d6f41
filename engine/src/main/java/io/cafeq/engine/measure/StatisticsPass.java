package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.ForwardPass;
import io.cafeq.engine.forward.InputObserver;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.statistics.MomentSums;
import io.cafeq.engine.weights.CheckpointWeights;
import io.cafeq.engine.weights.SpilledStates;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * One pass of the original model over some tokens, layer by layer: sums up the second moments of
 * the inputs of a layer's matrices and writes them to the layer's file. A layer whose file is there
 * is run all the same, since the next one needs its outputs, but nothing is summed up.
 *
 * <p>Made, used and closed on one thread; owns its lane, its reader and its memory, borrows the
 * checkpoint and the folder.
 */
public final class StatisticsPass implements LayerPass {
  private final StatisticsPlan plan;
  private final StatisticsTokens tokens;
  private final StatisticsFolder folder;
  private final String kernel;
  private final StopFlag stop;
  private final ComputeLane lane;
  private final CheckpointWeights weights;
  private final ForwardPass pass;
  private int next;

  private StatisticsPass(
      StatisticsPlan plan,
      StatisticsTokens tokens,
      StatisticsFolder folder,
      String kernel,
      StopFlag stop,
      ComputeLane lane,
      CheckpointWeights weights,
      ForwardPass pass) {
    this.plan = plan;
    this.tokens = tokens;
    this.folder = folder;
    this.kernel = kernel;
    this.stop = stop;
    this.lane = lane;
    this.weights = weights;
    this.pass = pass;
  }

  /**
   * Reads the embeddings of all tokens.
   *
   * @param memory native bytes that all of this may take, at least {@link #memoryNeeded}
   * @param scratch folder for activations that go beyond that
   * @throws EngineException with kind CHECKPOINT where the checkpoint is at fault
   */
  public static StatisticsPass open(
      Checkpoint checkpoint,
      ComputeBackend backend,
      StatisticsPlan plan,
      StatisticsTokens tokens,
      StatisticsFolder folder,
      long memory,
      Path scratch,
      StopFlag stop) {
    ComputeLane lane = backend.openLane();
    CheckpointWeights weights = CheckpointWeights.of(checkpoint);
    try {
      ForwardPass pass =
          ForwardPass.open(
              weights,
              lane.products(),
              tokens.windows(),
              memory - besideActivations(plan),
              SpilledStates.in(scratch),
              stop);
      return new StatisticsPass(plan, tokens, folder, backend.kernel(), stop, lane, weights, pass);
    } catch (RuntimeException e) {
      try (lane;
          weights) {
        throw e;
      }
    }
  }

  /**
   * The least native memory that a pass takes: the sums of one layer, and room for what the model
   * computes on the way.
   */
  public static long memoryNeeded(Checkpoint checkpoint, StatisticsPlan plan) {
    int window = Math.min(plan.settings().window(), plan.settings().tokens());
    try (CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      return besideActivations(plan) + ForwardPass.memoryNeeded(weights, window);
    }
  }

  private static long besideActivations(StatisticsPlan plan) {
    return plan.sumBytes()
        + MomentFile.WRITE_BYTES
        + TensorReader.SCRATCH_BYTES
        + Digests.BUFFER_BYTES;
  }

  @Override
  public int next() {
    int layer = next;
    // before it is run, so that the weights are read from the disk once
    folder.sourceSha256(layer, stop);
    if (folder.isReady(layer)) {
      pass.layer(layer, InputObserver.NONE);
    } else {
      measure(layer);
    }
    next++;
    return layer;
  }

  private void measure(int layer) {
    SortedMap<String, MatrixInput> wanted =
        plan.inputs().of(layer).stream()
            .collect(
                Collectors.toMap(MatrixInput::name, input -> input, (a, b) -> a, TreeMap::new));
    try (Arena arena = Arena.ofConfined()) {
      SortedMap<String, MomentSums> sums = new TreeMap<>();
      pass.layer(
          layer,
          (input, matrices, x) -> {
            MatrixInput known = wanted.get(input.name());
            if (known != null) {
              sums.computeIfAbsent(
                      known.name(), name -> new MomentSums(known, plan.settings().width(), arena))
                  .add(x, lane.products());
            }
          });
      folder.write(layer, tokens, kernel, sums.values(), stop);
    }
  }

  @Override
  public void close() {
    try (lane;
        weights) {
      pass.close();
    }
  }
}
