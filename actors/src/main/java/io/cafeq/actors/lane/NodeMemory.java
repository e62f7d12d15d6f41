package io.cafeq.actors.lane;

import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The bytes that a node's work may take, and who holds them. Whoever gets memory got all that it
 * needs and never asks for more, so no two claims can block each other. Confined to its actor.
 */
final class NodeMemory {
  private final long pool;
  private final SortedMap<Long, MemoryHolding> held = new TreeMap<>();
  private long free;
  private long nextId;

  NodeMemory(long pool) {
    this.pool = pool;
    this.free = pool;
  }

  long pool() {
    return pool;
  }

  boolean fits(long bytes) {
    return bytes <= free;
  }

  /**
   * Takes {@code most}, or what is free where that is less; the caller knows that {@code least}
   * fits.
   */
  MemoryHolding take(String job, String purpose, long least, long most, boolean standing) {
    long bytes = Math.max(least, Math.min(most, free));
    if (bytes > free) {
      throw new IllegalStateException(bytes + " bytes are not free");
    }
    MemoryHolding holding = new MemoryHolding(nextId++, job, purpose, bytes, standing);
    free -= bytes;
    held.put(holding.id(), holding);
    return holding;
  }

  /** A second time is without effect. */
  void giveBack(long id) {
    MemoryHolding known = held.remove(id);
    free += known == null ? 0 : known.bytes();
  }

  /**
   * Whether {@code bytes} will not be free even when all passing claims are given back: standing
   * ones are then in the way.
   */
  boolean needsRoomFromStanding(long bytes) {
    long standing =
        held.values().stream()
            .filter(MemoryHolding::standing)
            .mapToLong(MemoryHolding::bytes)
            .sum();
    return bytes > pool - standing;
  }

  List<MemoryHolding> holdings() {
    return new ArrayList<>(held.values());
  }
}
