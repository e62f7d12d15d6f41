package io.cafeq.actors.job;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.UnitMemory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a job's open units take, by the one rule that plans and runs share.
 *
 * @param memory of each unit
 * @param diskBytes of all files that are yet to be written, at most about
 */
public record JobNeeds(Map<Unit, UnitMemory> memory, long diskBytes) {
  /**
   * @param sideFiles bytes of the files that are copied beside the units
   * @param statistics bytes of the statistics' files that are yet to be written
   */
  static JobNeeds of(List<Unit> open, JobEngine engine, long sideFiles, long statistics) {
    Map<Unit, UnitMemory> memory = new LinkedHashMap<>();
    long disk = sideFiles + statistics;
    for (Unit unit : open) {
      memory.put(unit, engine.memoryNeeded(unit));
      disk += engine.diskNeeded(unit);
    }
    return new JobNeeds(memory, disk);
  }

  /** Native bytes of the largest unit. */
  public long largestNativeBytes() {
    return memory.values().stream().mapToLong(UnitMemory::nativeBytes).max().orElse(0);
  }

  /** What the largest unit claims. */
  long largestClaim(MemoryBudget budget) {
    return memory.values().stream().mapToLong(budget::claim).max().orElse(0);
  }

  /**
   * Throws with kind USAGE where a unit, or taking statistics, needs more than there is at all.
   *
   * @param statistics native bytes; 0 for none
   */
  void requireMemory(MemoryBudget budget, long statistics) {
    memory.forEach(budget::requireFits);
    budget.requireStatisticsFit(statistics);
  }
}
