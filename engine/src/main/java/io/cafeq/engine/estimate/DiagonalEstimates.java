package io.cafeq.engine.estimate;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.StopFlag;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Estimates diag H, the mean squares of a matrix's input, from the weights: log h is a sum of
 * coefficients times features, each the logarithm of some sum of squares, less its mean over the
 * channels. Channels that carry much are small in up and in values, which have to undo it, and
 * ordinary in gate and queries; {@link InputKind} lists the features.
 *
 * <p>Two passes over the checkpoint, both of which keep vectors only: {@link #gather} takes what
 * all layers say together, {@link #layers} then estimates any one layer. Where the family's roles
 * do not lead to the features, 1 / mean square of the columns takes their place, see {@link Basis}.
 *
 * <p>Made, used and closed on one thread; owns its slab, borrows the checkpoint.
 */
public final class DiagonalEstimates implements AutoCloseable {
  private final ModelLayout layout;
  private final WeightScan scan;

  private DiagonalEstimates(ModelLayout layout, WeightScan scan) {
    this.layout = layout;
    this.scan = scan;
  }

  /**
   * @param reading told of each stored tensor before it is read, perhaps more than once
   */
  public static DiagonalEstimates open(
      Checkpoint checkpoint, ModelLayout layout, Consumer<TensorInfo> reading, StopFlag stop) {
    return new DiagonalEstimates(
        layout, new WeightScan(checkpoint, layout.widest(), reading, stop));
  }

  /** Native bytes that one of these takes. */
  public static long memoryNeeded(ModelLayout layout) {
    return WeightScan.bytes(layout.widest());
  }

  /** The first pass; throws with kind STOPPED. */
  public ModelVectors gather() {
    FirstPass pass = new FirstPass(scan, layout);
    SortedMap<Integer, LayerVectors> layers = new TreeMap<>();
    layout.layers().forEach((number, layer) -> layers.put(number, pass.layer(layer)));
    return new ModelVectors(layout.embedding().map(pass::embedding), layers);
  }

  /** The second pass, layer by layer in any order. To be used before this is closed. */
  public LayerEstimates layers(ModelVectors vectors, Coefficients coefficients) {
    return new LayerEstimates(scan, layout, vectors, coefficients);
  }

  @Override
  public void close() {
    scan.close();
  }
}
