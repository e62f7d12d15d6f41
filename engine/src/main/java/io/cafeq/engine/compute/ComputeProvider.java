package io.cafeq.engine.compute;

/**
 * Offers a service that runs on some library or device. Found by ServiceLoader; cheap to load, and
 * touches native code only in {@link #probe} and {@link #create}.
 */
public interface ComputeProvider<T> {
  /** Short name, as {@code --backend} takes it. */
  String id();

  /** The available provider with the highest priority is the default. */
  int priority();

  /** Checks whether the service works on this machine. */
  Probe probe();

  /** Makes the service; only after a probe that said available. */
  T create();

  /** Whether a service works on this machine. */
  sealed interface Probe {
    /** It does; {@code detail} says with what. */
    record Available(String detail) implements Probe {}

    /** It does not, why, and what the user can do. */
    record Unavailable(String reason, String remedy) implements Probe {}
  }
}
