package io.cafeq.engine.family;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;

/**
 * One layer of a model as far as headers tell.
 *
 * @param shapes tell how matrices are stored
 * @param start the names' beginning up to the layer's number
 * @param tensors by what follows the layer's number
 */
record Layer(
    TextConfig config,
    LayerNames names,
    LayerShapes shapes,
    String start,
    int number,
    SortedMap<String, TensorInfo> tensors) {
  boolean has(String name) {
    return tensors.containsKey(name);
  }

  boolean has(Role role) {
    return tensors.keySet().stream()
        .anyMatch(name -> names.matrix(name).filter(m -> m.role() == role).isPresent());
  }

  Optional<TensorInfo> tensor(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /** Full name of a tensor. */
  String fullName(String name) {
    return start + number + "." + name;
  }

  /** Output channels of a matrix, however it is stored; empty where there is no such matrix. */
  OptionalInt rows(String name) {
    return length(name, isTransposed(name) ? 1 : 0);
  }

  /** Input channels of a matrix, however it is stored; empty where there is no such matrix. */
  OptionalInt columns(String name) {
    return length(name, isTransposed(name) ? 0 : 1);
  }

  /** Entries of a vector; empty where there is no such vector. */
  OptionalInt entries(String name) {
    return tensor(name)
        .filter(info -> info.shape().size() == 1)
        .map(info -> whole(info.shape(), 0))
        .orElse(OptionalInt.empty());
  }

  private OptionalInt length(String name, int dimension) {
    return tensor(name)
        .filter(TensorInfo::isMatrix)
        .map(info -> whole(info.shape(), dimension))
        .orElse(OptionalInt.empty());
  }

  private static OptionalInt whole(List<Long> shape, int dimension) {
    long length = shape.get(dimension);
    return length <= Integer.MAX_VALUE ? OptionalInt.of((int) length) : OptionalInt.empty();
  }

  private boolean isTransposed(String name) {
    return shapes.isTransposed(
        fullName(name), names.matrix(name).map(LayerNames.Matrix::transposed).orElse(false));
  }
}
