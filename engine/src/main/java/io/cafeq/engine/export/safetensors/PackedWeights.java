package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.memory.FloatMatrix;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The packed matrices of an MLX or GPTQ checkpoint, whoever made it, by the names of the weights
 * that they stand for. Borrows the checkpoint.
 */
public final class PackedWeights {
  private static final String MLX_SCALES = ".scales";
  private static final String GPTQ_CODES = ".qweight";

  private final Checkpoint checkpoint;
  private final SortedMap<String, Packed> packed = new TreeMap<>();
  private final Set<String> parts = new HashSet<>();

  private record Packed(long rows, int columns, PackedReader reader) {}

  private PackedWeights(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /** Those of a checkpoint; none where it has no packed matrices of these formats. */
  public static PackedWeights of(Checkpoint checkpoint, JsonNode config) {
    PackedWeights weights = new PackedWeights(checkpoint);
    for (TensorInfo tensor : checkpoint.tensors()) {
      String name = tensor.name();
      if (name.endsWith(GPTQ_CODES) && tensor.dtype() == Dtype.I32) {
        weights.gptq(name.substring(0, name.length() - GPTQ_CODES.length()), tensor);
      } else if (name.endsWith(MLX_SCALES)) {
        String module = name.substring(0, name.length() - MLX_SCALES.length());
        checkpoint
            .tensor(module + ".weight")
            .filter(codes -> codes.dtype() == Dtype.U32)
            .ifPresent(codes -> weights.mlx(module, codes, tensor, config.path("quantization")));
      }
    }
    return weights;
  }

  private void gptq(String module, TensorInfo codes) {
    checkpoint
        .tensor(module + ".g_idx")
        .ifPresent(
            index ->
                packed.put(
                    module + ".weight",
                    new Packed(
                        codes.shape().getLast(),
                        Math.toIntExact(index.elements()),
                        PackedReaders::gptq)));
    for (String part : List.of(GPTQ_CODES, ".qzeros", MLX_SCALES, ".g_idx")) {
      parts.add(module + part);
    }
  }

  private void mlx(String module, TensorInfo codes, TensorInfo scales, JsonNode quantization) {
    JsonNode own = quantization.path(module).isObject() ? quantization.path(module) : quantization;
    int group = own.path("group_size").asInt();
    packed.put(
        module + ".weight",
        new Packed(
            codes.shape().getFirst(),
            Math.toIntExact(scales.shape().getLast() * group),
            PackedReaders::mlx));
    for (String part : List.of(".weight", MLX_SCALES, ".biases")) {
      parts.add(module + part);
    }
  }

  /** Names of the weights that are packed. */
  public Set<String> names() {
    return packed.keySet();
  }

  /** Whether a stored tensor is part of a packed matrix. */
  public boolean isPart(String tensor) {
    return parts.contains(tensor);
  }

  /** [rows, columns] of the weights; empty where they are not packed. */
  public Optional<List<Long>> shape(String weights) {
    return Optional.ofNullable(packed.get(weights))
        .map(found -> List.of(found.rows(), (long) found.columns()));
  }

  /** Rows [firstRow, firstRow + target.rows) of packed weights. */
  public void read(String weights, int firstRow, FloatMatrix target) {
    Packed found = packed.get(weights);
    if (found == null) {
      throw new IllegalArgumentException(weights + " is not packed");
    }
    found.reader().read(checkpoint, weights, found.columns(), firstRow, target);
  }
}
