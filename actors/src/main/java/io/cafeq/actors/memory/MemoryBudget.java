package io.cafeq.actors.memory;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.UnitMemory;
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

  /**
   * The pool where the cap leaves nothing: enough for ordinary layers, since a heap that was given
   * is seldom all used.
   */
  static final long LEAST_POOL = 128L << 20;

  /** What the libraries and the actors keep on the heap. */
  static final long HEAP_OVERHEAD = 160L << 20;

  /** Where the heap is smaller than what is usual, units of ordinary layers are let try. */
  static final long LEAST_HEAP_POOL = 32L << 20;

  /** The budget of this process. */
  public static MemoryBudget of(long cap) {
    return new MemoryBudget(cap, Runtime.getRuntime().maxMemory());
  }

  /** Bytes of the cap that are not the lanes': the Java heap's and the libraries'. */
  public long taken() {
    return heap + OVERHEAD;
  }

  /** Bytes that the lanes share. */
  public long pool() {
    return Math.max(LEAST_POOL, cap - taken());
  }

  /** Whether the cap is too small for this process's heap, so that it may be exceeded. */
  public boolean isTight() {
    return cap - taken() < LEAST_POOL;
  }

  /** Bytes of the heap that units share: what is left of it beside the libraries' own. */
  long heapPool() {
    return Math.max(LEAST_HEAP_POOL, heap - HEAP_OVERHEAD);
  }

  /**
   * What a unit claims of the pool: its bytes outside the heap, or as large a share of the pool as
   * it takes of the heap where that is more. So units that are under way together fit into both.
   */
  public long claim(UnitMemory needed) {
    double share = (double) needed.heapBytes() / heapPool();
    return Math.max(needed.nativeBytes(), (long) Math.ceil(Math.min(1, share) * pool()));
  }

  /**
   * Throws with kind USAGE, naming what would do, where {@code unit} needs more than the whole pool
   * or heap.
   */
  public void requireFits(Unit unit, UnitMemory memory) {
    if (memory.heapBytes() > heapPool()) {
      throw new EngineException(
          FailureKind.USAGE,
          String.format(
              Locale.ROOT,
              "unit %s needs %d MiB of the Java heap at once, but %d MiB are left of %d MiB",
              unit.id(),
              Math.ceilDiv(memory.heapBytes(), 1L << 20),
              heapPool() >> 20,
              heap >> 20),
          "Run again with CAFEQ_JAVA_OPTS=-Xmx"
              + Math.ceilDiv(memory.heapBytes() + HEAP_OVERHEAD, 1L << 20)
              + "m, or with --no-pairs.");
    }
    if (memory.nativeBytes() > pool()) {
      throw tooLarge("unit " + unit.id(), memory.nativeBytes());
    }
  }

  /**
   * Throws with kind USAGE, naming what would do, where taking statistics needs more than the whole
   * pool.
   */
  public void requireStatisticsFit(long needed) {
    if (needed > pool()) {
      throw tooLarge(
          "taking statistics",
          needed,
          ", with a smaller --statistics-width or --statistics-window, or with --statistics"
              + " weights");
    }
  }

  /** The refusal of work that needs more than the whole pool; of kind USAGE. */
  public EngineException tooLarge(String what, long needed) {
    return tooLarge(what, needed, "");
  }

  private EngineException tooLarge(String what, long needed, String otherwise) {
    return new EngineException(
        FailureKind.USAGE,
        String.format(
            Locale.ROOT,
            "%s needs %d MiB at once, but a memory cap of %d MiB leaves %d MiB",
            what,
            Math.ceilDiv(needed, 1L << 20),
            cap >> 20,
            pool() >> 20),
        "Run again with --max-memory "
            + Math.ceilDiv(needed + taken(), 1L << 20)
            + "m or more"
            + otherwise
            + ".");
  }
}
