package io.cafeq.actors.memory;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import java.util.Locale;

/**
 * How a cap on the process's memory is divided.
 *
 * @param cap bytes that the whole process may take
 * @param heap the most that the Java heap takes
 */
public record MemoryBudget(long cap, long heap) {
  /** What the virtual machine and the libraries take beside the heap. */
  static final long OVERHEAD = 200L << 20;

  /** The pool where the cap leaves nothing: enough for ordinary layers, since a heap that was given is seldom all used. */
  static final long LEAST_POOL = 128L << 20;

  /** The budget of this process. */
  public static MemoryBudget of(long cap) {
    return new MemoryBudget(cap, Runtime.getRuntime().maxMemory());
  }

  /** Bytes that the lanes share. */
  public long pool() {
    return Math.max(LEAST_POOL, cap - heap - OVERHEAD);
  }

  /** Whether the cap is too small for this process's heap, so that it may be exceeded. */
  public boolean isTight() {
    return cap - heap - OVERHEAD < LEAST_POOL;
  }

  /** Throws with kind USAGE, naming the cap that would do, where {@code unit} needs more than the whole pool. */
  public void requireFits(Unit unit, long needed) {
    if (needed > pool()) {
      long enough = Math.ceilDiv(needed + heap + OVERHEAD, 1L << 20);
      throw new EngineException(
          FailureKind.USAGE,
          String.format(
              Locale.ROOT,
              "unit %s needs %d MiB at once, but a memory cap of %d MiB leaves %d MiB for the weights",
              unit.id(), Math.ceilDiv(needed, 1L << 20), cap >> 20, pool() >> 20),
          "Run again with --max-memory " + enough + "m or more.");
    }
  }
}
