package io.cafeq.engine.quantize;

/**
 * What making a unit takes at most. Depends on the unit alone.
 *
 * @param nativeBytes outside the heap
 * @param heapBytes on the heap, beyond the small tiles that every worker has: the h x h matrices of
 *     a pair's heads
 */
public record UnitMemory(long nativeBytes, long heapBytes) {}
