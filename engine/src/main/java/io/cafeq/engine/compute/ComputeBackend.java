package io.cafeq.engine.compute;

import io.cafeq.engine.memory.MemoryNeed;

/** A way to round, measure and multiply. Thread-safe; lanes are not. */
public interface ComputeBackend {
  /** Short name: {@code scalar}, {@code nd4j}. */
  String id();

  /**
   * What decides the bits of results beside the backend: the BLAS kernel of this CPU. Kept in the
   * manifest.
   */
  String kernel();

  /** One line for people: library and version. */
  String description();

  /**
   * What a lane takes at most to round such slabs and to measure plain rounding of them, the slab
   * and its codes not counted. A lane gives it back when it is closed.
   */
  MemoryNeed roundingNeed(RoundingShape slab);

  /** A lane with one thread and its own scratch memory; the caller closes it. */
  ComputeLane openLane();

  /** Offers a backend. */
  interface Provider extends ComputeProvider<ComputeBackend> {}
}
