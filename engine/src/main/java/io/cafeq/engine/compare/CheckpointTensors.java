package io.cafeq.engine.compare;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.export.safetensors.PackedWeights;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.memory.FloatMatrix;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** The tensors of a checkpoint, which it owns. */
final class CheckpointTensors implements TensorSet {
  private final Checkpoint checkpoint;
  private final TensorReader reader;
  private final PackedWeights packed;
  private final Map<String, WeightTensor> weights = new HashMap<>();
  private final SortedMap<String, List<Long>> shapes = new TreeMap<>();

  private CheckpointTensors(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
    this.reader = checkpoint.newReader();
    this.packed = PackedWeights.of(checkpoint, checkpoint.config().json());
  }

  static CheckpointTensors of(Checkpoint checkpoint) {
    CheckpointTensors tensors = new CheckpointTensors(checkpoint);
    ModelFamily family = ModelDescription.of(checkpoint).family();
    Map<String, String> companions = checkpoint.weights().companions();
    for (TensorInfo info : checkpoint.tensors()) {
      if (!companions.containsKey(info.name()) && !tensors.packed.isPart(info.name())) {
        tensors.add(info, family.place(info.name()).transposed());
      }
    }
    tensors.packed.names().forEach(name -> tensors.addPacked(name));
    return tensors;
  }

  private void addPacked(String name) {
    packed.shape(name).ifPresent(shape -> shapes.put(name, shape));
  }

  private void add(TensorInfo info, boolean transposed) {
    if (info.shape().size() > 1
        && checkpoint.weights().read(info, transposed)
            instanceof WeightTensors.Reading.Weights(WeightTensor weight)) {
      weights.put(info.name(), weight);
      List<Long> matrix = List.of((long) weight.rows(), (long) weight.columns());
      shapes.put(
          info.name(),
          weight.isStack()
              ? List.of((long) weight.experts(), matrix.getFirst(), matrix.getLast())
              : matrix);
    } else if (info.dtype().isWeight() && info.elements() > 0) {
      List<Long> shape = List.of(1L, info.elements());
      weights.put(
          info.name(),
          WeightTensor.plain(
              new TensorInfo(
                  info.name(), info.dtype(), shape, info.file(), info.position(), info.bytes())));
      shapes.put(info.name(), info.shape());
    }
  }

  @Override
  public SortedMap<String, List<Long>> shapes() {
    return shapes;
  }

  @Override
  public void read(String name, int firstRow, FloatMatrix target) {
    WeightTensor weight = weights.get(name);
    if (weight == null) {
      packed.read(name, firstRow, target);
    } else {
      reader.readFloats(weight, firstRow, 0, target);
    }
  }

  @Override
  public void close() {
    try (checkpoint) {
      reader.close();
    }
  }
}
