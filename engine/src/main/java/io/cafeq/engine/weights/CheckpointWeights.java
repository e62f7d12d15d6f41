package io.cafeq.engine.weights;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.forward.Shapes;
import io.cafeq.engine.memory.FloatMatrix;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The weights of a checkpoint, whatever their layout. Borrows the checkpoint, owns a reader; not
 * thread-safe.
 */
public final class CheckpointWeights implements ModelWeights {
  private static final String REMEDY = "Download the checkpoint again, config.json included.";

  private final Checkpoint checkpoint;
  private final ModelDescription model;
  private final TensorReader reader;
  private final Map<String, WeightTensor> matrices = new HashMap<>();

  private CheckpointWeights(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
    this.model = ModelDescription.of(checkpoint);
    this.reader = checkpoint.newReader();
  }

  /** The checkpoint must stay open until the weights are closed. */
  public static CheckpointWeights of(Checkpoint checkpoint) {
    return new CheckpointWeights(checkpoint);
  }

  @Override
  public ModelDescription model() {
    return model;
  }

  @Override
  public boolean has(String tensor) {
    return find(tensor).isPresent();
  }

  @Override
  public String stored(String tensor) {
    return find(tensor).map(TensorInfo::name).orElse(tensor);
  }

  @Override
  public int rows(String tensor) {
    return matrix(tensor).allRows();
  }

  @Override
  public int columns(String tensor) {
    return matrix(tensor).columns();
  }

  @Override
  public void read(String tensor, int firstRow, FloatMatrix to) {
    WeightTensor weight = matrix(tensor);
    if (to.columns() != weight.columns()) {
      throw new IllegalArgumentException(
          tensor + " has " + weight.columns() + " columns, there is room for " + to.columns());
    }
    reader.readFloats(weight, firstRow, 0, to);
  }

  @Override
  public float[] vector(String tensor, int length) {
    TensorInfo info = info(tensor);
    if (info.shape().size() != 1 || !info.dtype().isWeight()) {
      throw failure(
          tensor, "expected a vector of floats, found " + info.dtype() + " " + info.shape());
    }
    Shapes.requireLength(tensor, length, info.elements());
    return reader.readVector(info);
  }

  /** All tensors as they were before another program quantized them. */
  public List<TensorInfo> tensors() {
    return checkpoint.tensors().stream().map(this::unquantized).toList();
  }

  private TensorInfo unquantized(TensorInfo info) {
    return !info.dtype().isWeight()
            && checkpoint.weights().read(info, model.family().place(info.name()).transposed())
                instanceof Reading.Weights(WeightTensor weight)
        ? weight.unquantized()
        : info;
  }

  private WeightTensor matrix(String tensor) {
    WeightTensor known = matrices.get(tensor);
    if (known != null) {
      return known;
    }
    TensorInfo info = info(tensor);
    WeightTensor found =
        switch (checkpoint.weights().read(info, model.family().place(info.name()).transposed())) {
          case Reading.Weights(WeightTensor weight) -> weight;
          case Reading.NoWeights(String reason) ->
              throw failure(tensor, "the forward pass needs a matrix, but this tensor " + reason);
        };
    matrices.put(tensor, found);
    return found;
  }

  private TensorInfo info(String tensor) {
    return find(tensor)
        .orElseThrow(() -> failure(tensor, "the forward pass needs it, but it is not there"));
  }

  private Optional<TensorInfo> find(String tensor) {
    return checkpoint
        .tensor(tensor)
        .or(
            () ->
                Optional.ofNullable(checkpoint.aliases().get(tensor)).flatMap(checkpoint::tensor));
  }

  private CheckpointException failure(String tensor, String what) {
    return new CheckpointException(
        checkpoint.location() + ": tensor \"" + tensor + "\": " + what, REMEDY);
  }

  @Override
  public void close() {
    reader.close();
  }
}
