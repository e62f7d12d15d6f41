package io.cafeq.engine.checkpoint;

import java.util.List;

/**
 * Where one tensor is: {@code bytes} bytes at absolute position {@code position} of the shard
 * {@code file} (a plain file name inside the checkpoint's folder), row-major in {@code shape}.
 */
public record TensorInfo(
    String name, Dtype dtype, List<Long> shape, String file, long position, long bytes) {
  public TensorInfo {
    shape = List.copyOf(shape);
  }

  /** Number of elements. */
  public long elements() {
    return bytes / dtype.bytes();
  }

  public boolean isMatrix() {
    return shape.size() == 2;
  }

  /** Output channels of a matrix [out, in]. */
  public int rows() {
    return Math.toIntExact(shape.get(0));
  }

  /** Input channels of a matrix [out, in]. */
  public int columns() {
    return Math.toIntExact(shape.get(1));
  }
}
