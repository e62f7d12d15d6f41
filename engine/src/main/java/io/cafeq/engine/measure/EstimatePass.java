package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.estimate.Coefficients;
import io.cafeq.engine.estimate.DiagonalEstimates;
import io.cafeq.engine.estimate.LayerEstimates;
import io.cafeq.engine.estimate.ModelLayout;
import io.cafeq.engine.estimate.ModelVectors;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Estimates the moments of one layer after the other from the weights, and writes them to the
 * layer's file. What all layers say together is gathered first, unless an earlier run did.
 *
 * <p>Made, used and closed on one thread; owns its memory, borrows the checkpoint and the folder.
 */
public final class EstimatePass implements LayerPass {
  private final StatisticsPlan plan;
  private final StatisticsFolder folder;
  private final StopFlag stop;
  private final DiagonalEstimates estimates;
  private final LayerEstimates layers;
  private int next;

  private EstimatePass(
      StatisticsPlan plan,
      StatisticsFolder folder,
      StopFlag stop,
      DiagonalEstimates estimates,
      LayerEstimates layers) {
    this.plan = plan;
    this.folder = folder;
    this.stop = stop;
    this.estimates = estimates;
    this.layers = layers;
  }

  /** Gathers, reading every weight once; throws with kind STOPPED. */
  public static EstimatePass open(
      Checkpoint checkpoint, StatisticsPlan plan, StatisticsFolder folder, StopFlag stop) {
    ModelLayout layout = ModelLayout.of(checkpoint);
    // hashed before it is read, so that it is read from the disk once
    DiagonalEstimates estimates =
        DiagonalEstimates.open(
            checkpoint, layout, tensor -> folder.addSource(tensor.name(), stop), stop);
    try {
      ModelVectors vectors =
          folder
              .storedVectors(layout, stop)
              .orElseGet(
                  () -> {
                    ModelVectors gathered = estimates.gather();
                    folder.keepVectors(gathered, stop);
                    return gathered;
                  });
      LayerEstimates layers = estimates.layers(vectors, Coefficients.builtIn());
      return new EstimatePass(plan, folder, stop, estimates, layers);
    } catch (RuntimeException e) {
      estimates.close();
      throw e;
    }
  }

  /** Native memory that a pass takes. */
  public static long memoryNeeded(Checkpoint checkpoint) {
    return DiagonalEstimates.memoryNeeded(ModelLayout.of(checkpoint))
        + MomentFile.WRITE_BYTES
        + Digests.BUFFER_BYTES;
  }

  @Override
  public int next() {
    int layer = next;
    if (!folder.isReady(layer)) {
      Set<String> wanted =
          plan.inputs().of(layer).stream().map(MatrixInput::name).collect(Collectors.toSet());
      folder.write(layer, layers.of(layer, wanted::contains), stop);
    }
    next++;
    return layer;
  }

  @Override
  public void close() {
    estimates.close();
  }
}
