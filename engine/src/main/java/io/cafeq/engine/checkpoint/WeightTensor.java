package io.cafeq.engine.checkpoint;

import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of the checkpoint as what it means: one matrix [out, in], or one for each expert of a
 * stack.
 *
 * <p>Rows are often counted through all experts: row r of expert e is {@code e * rows() + r}, below
 * {@link #allRows()}.
 */
public record WeightTensor(TensorInfo info, WeightLayout layout) {
  /** A tensor that is stored as [out, in] or [experts, out, in]. */
  public static WeightTensor plain(TensorInfo info) {
    return new WeightTensor(info, new WeightLayout.Plain());
  }

  public String name() {
    return info.name();
  }

  /** Number of matrices; 1 where the tensor is no stack. */
  public int experts() {
    return Math.toIntExact(layout.kind().experts(shape()));
  }

  /** Whether the tensor has a dimension for experts, be it of length 1. */
  public boolean isStack() {
    return layout.kind().isStack(shape());
  }

  /** Output channels of one matrix. */
  public int rows() {
    return Math.toIntExact(layout.kind().rows(shape()));
  }

  /** Input channels of one matrix. */
  public int columns() {
    return Math.toIntExact(layout.kind().columns(shape()));
  }

  /** Output channels of all matrices together. */
  public int allRows() {
    return Math.multiplyExact(experts(), rows());
  }

  /** Weights of all matrices together. */
  public long elements() {
    return (long) allRows() * columns();
  }

  /**
   * The stored tensors that the weights are made from: the tensor itself, then its scales and the
   * like.
   */
  public List<TensorInfo> sources() {
    return switch (layout) {
      case WeightLayout.Plain plain -> List.of(info);
      case WeightLayout.Transposed transposed -> List.of(info);
      case WeightLayout.Quantized quantized -> {
        List<TensorInfo> sources = new ArrayList<>(List.of(info));
        sources.addAll(quantized.companions());
        yield List.copyOf(sources);
      }
    };
  }

  /** The element type of a dense export: the stored one, or BF16 where the source is quantized. */
  public Dtype denseDtype() {
    return layout.kind().isQuantized() ? Dtype.BF16 : info.dtype();
  }

  /**
   * The tensor as it would be stored unquantized: same name and order of dimensions, type and shape
   * of floats.
   */
  public TensorInfo unquantized() {
    if (!layout.kind().isQuantized() || layout.kind() == LayoutKind.MICRO_SCALED) {
      return info;
    }
    List<Long> shape = new ArrayList<>(shape());
    if (layout.kind().isTransposed()) {
      shape.add(shape.size() - 2, shape.removeLast());
    }
    Dtype dtype = denseDtype();
    return new TensorInfo(
        info.name(), dtype, shape, info.file(), info.position(), elements() * dtype.bytes());
  }

  /**
   * The shape by which the layout counts rows and columns: the stored one, or that of the weights
   * where stated.
   */
  public List<Long> shape() {
    return layout instanceof WeightLayout.Quantized quantized && layout.kind().statesShape()
        ? quantized.weights()
        : info.shape();
  }
}
