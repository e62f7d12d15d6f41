package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.grid.GridSpec;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a unit's file says of one of its tensors before any row.
 *
 * @param name the source's name
 * @param dtype the source's element type
 * @param shape the source's shape; quantized: [out, in], or [experts, out, in]
 * @param coding how it is quantized; null where its bytes are kept
 */
public record TensorHeader(String name, Dtype dtype, List<Long> shape, @Nullable Coding coding) {
  /**
   * @param grid of all its slabs
   * @param transform null where the codes stand for the weights themselves
   */
  public record Coding(GridSpec grid, @Nullable TransformUse transform) {}

  /**
   * @param key under which the transform's blocks are stored: the tensor's own name, or a name that all tensors that
   *     share the transform use
   */
  public record TransformUse(String key, Side side) {}

  public TensorHeader {
    shape = List.copyOf(shape);
    if (coding != null && (shape.size() < 2 || shape.size() > 3)) {
      throw new IllegalArgumentException("a quantized tensor has two or three dimensions, " + name + " has " + shape);
    }
  }

  /** A tensor that keeps its bytes. */
  public static TensorHeader copied(TensorInfo info) {
    return new TensorHeader(info.name(), info.dtype(), info.shape(), null);
  }

  /** A quantized matrix; {@code transform} is null for plain rounding. */
  public static TensorHeader quantized(TensorInfo info, GridSpec grid, @Nullable TransformUse transform) {
    return new TensorHeader(info.name(), info.dtype(), info.shape(), new Coding(grid, transform));
  }

  /** Number of elements. */
  public long elements() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** Bytes in the source. */
  public long bytes() {
    return Math.multiplyExact(elements(), (long) dtype.bytes());
  }

  /** Output channels of the matrix, or of each expert's. */
  public long rows() {
    return shape.get(shape.size() - 2);
  }

  /** Input channels. */
  public int columns() {
    return Math.toIntExact(shape.getLast());
  }

  /** Matrices of a stack of experts; 1 for a plain matrix, whose only expert is called -1. */
  public long experts() {
    return shape.size() == 3 ? shape.getFirst() : 1;
  }

  /** The number by which the first matrix is called: -1 for a plain matrix, else 0. */
  public int firstExpert() {
    return shape.size() == 3 ? 0 : -1;
  }
}
