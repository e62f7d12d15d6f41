package io.cafeq.engine.checkpoint;

import java.util.List;

/**
 * A tensor of the checkpoint as what it means: one matrix [out, in], or one for each expert of a stack.
 *
 * <p>Rows are often counted through all experts: row r of expert e is {@code e * rows() + r}, below {@link #allRows()}.
 */
public record WeightTensor(TensorInfo info, WeightLayout layout) {
  /** A tensor that is stored as [out, in] or [experts, out, in]. */
  public static WeightTensor plain(TensorInfo info) {
    return new WeightTensor(info, new WeightLayout.Plain());
  }

  public String name() {
    return info.name();
  }

  /** Matrices; 1 where the tensor is no stack. */
  public int experts() {
    return isStack() ? Math.toIntExact(info.shape().getFirst()) : 1;
  }

  /** Whether the tensor has a dimension for experts, be it of length 1. */
  public boolean isStack() {
    return switch (layout) {
      case WeightLayout.Plain plain -> info.shape().size() == 3;
      case WeightLayout.Transposed transposed -> info.shape().size() == 3;
      case WeightLayout.Tiled tiled -> false;
      case WeightLayout.MicroScaled scaled -> true;
    };
  }

  /** Output channels of one matrix. */
  public int rows() {
    List<Long> shape = info.shape();
    return Math.toIntExact(switch (layout) {
      case WeightLayout.Plain plain -> shape.get(shape.size() - 2);
      case WeightLayout.Transposed transposed -> shape.getLast();
      case WeightLayout.Tiled tiled -> shape.getFirst();
      case WeightLayout.MicroScaled scaled -> shape.get(1);
    });
  }

  /** Input channels of one matrix. */
  public int columns() {
    List<Long> shape = info.shape();
    return Math.toIntExact(switch (layout) {
      case WeightLayout.Plain plain -> shape.getLast();
      case WeightLayout.Transposed transposed -> shape.get(shape.size() - 2);
      case WeightLayout.Tiled tiled -> shape.getLast();
      case WeightLayout.MicroScaled scaled -> Math.multiplyExact(shape.get(2), 32L);
    });
  }

  /** Output channels of all matrices together. */
  public int allRows() {
    return Math.multiplyExact(experts(), rows());
  }

  /** Weights of all matrices together. */
  public long elements() {
    return (long) allRows() * columns();
  }

  /** The stored tensors that the weights are made from: the tensor itself, then its scales. */
  public List<TensorInfo> sources() {
    return switch (layout) {
      case WeightLayout.Plain plain -> List.of(info);
      case WeightLayout.Transposed transposed -> List.of(info);
      case WeightLayout.Tiled tiled -> List.of(info, tiled.scales());
      case WeightLayout.MicroScaled scaled -> List.of(info, scaled.scales());
    };
  }

  /** The element type of a dense export: the stored one, or BF16 where the source is packed. */
  public Dtype denseDtype() {
    return switch (layout) {
      case WeightLayout.Plain plain -> info.dtype();
      case WeightLayout.Transposed transposed -> info.dtype();
      case WeightLayout.Tiled tiled -> Dtype.BF16;
      case WeightLayout.MicroScaled scaled -> Dtype.BF16;
    };
  }
}
