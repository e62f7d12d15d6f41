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
    return Math.toIntExact(layout.kind().experts(info.shape()));
  }

  /** Whether the tensor has a dimension for experts, be it of length 1. */
  public boolean isStack() {
    return layout.kind().isStack(info.shape());
  }

  /** Output channels of one matrix. */
  public int rows() {
    return Math.toIntExact(layout.kind().rows(info.shape()));
  }

  /** Input channels of one matrix. */
  public int columns() {
    return Math.toIntExact(layout.kind().columns(info.shape()));
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
