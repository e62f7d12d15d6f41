package io.cafeq.engine.compute;

/** A way to learn, round and measure. Thread-safe; lanes are not. */
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

  /** A lane with one thread and its own scratch memory; the caller closes it. */
  ComputeLane openLane();

  /**
   * Found by ServiceLoader; cheap to load, and touches native code only in {@link #probe} and
   * {@link #create}.
   */
  interface Provider {
    String id();

    /** The available provider with the highest priority is the default. */
    int priority();

    Probe probe();

    /** Only after a probe that said available. */
    ComputeBackend create();
  }

  /** Whether a backend works on this machine. */
  sealed interface Probe {
    /** It does; {@code detail} says with what. */
    record Available(String detail) implements Probe {}

    /** It does not, why, and what the user can do. */
    record Unavailable(String reason, String remedy) implements Probe {}
  }
}
