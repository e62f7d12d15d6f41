package io.cafeq.engine.compute;

import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.rounding.SlabEncoder;

/**
 * A lane: one worker thread's share of a backend, with scratch memory that is reused from call to
 * call. Not thread-safe.
 */
public interface ComputeLane extends AutoCloseable {
  /** Products of matrices; owned by the lane. */
  MatrixProducts products();

  /** The rounding kernels; owned by the lane. */
  SlabEncoder encoder();

  /**
   * Seconds of one product of two square float matrices by the backend's own kernel: what learning
   * is compared with, since it is made of products. Two products are made, the second one is timed.
   */
  double secondsOfProduct(int size);

  @Override
  void close();
}
