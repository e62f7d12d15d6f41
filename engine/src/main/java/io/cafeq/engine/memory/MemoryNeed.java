package io.cafeq.engine.memory;

/**
 * What a piece of work takes at most, said before any of it is taken.
 *
 * @param nativeBytes outside the heap
 * @param heapBytes on the heap, beyond small tiles
 * @param deviceBytes on a device with memory of its own
 */
public record MemoryNeed(long nativeBytes, long heapBytes, long deviceBytes) {
  /** Nothing. */
  public static final MemoryNeed NONE = new MemoryNeed(0, 0, 0);

  /** Of work on the CPU. */
  public static MemoryNeed host(long nativeBytes, long heapBytes) {
    return new MemoryNeed(nativeBytes, heapBytes, 0);
  }

  /** Of both at the same time. */
  public MemoryNeed plus(MemoryNeed other) {
    return new MemoryNeed(
        nativeBytes + other.nativeBytes,
        heapBytes + other.heapBytes,
        deviceBytes + other.deviceBytes);
  }

  /** Of one after the other. */
  public MemoryNeed max(MemoryNeed other) {
    return new MemoryNeed(
        Math.max(nativeBytes, other.nativeBytes),
        Math.max(heapBytes, other.heapBytes),
        Math.max(deviceBytes, other.deviceBytes));
  }
}
