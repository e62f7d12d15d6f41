package io.cafeq.engine.quantize;

import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Unit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.ToLongFunction;

/** Finds who does a part. */
final class PartWorks {
  private PartWorks() {}

  /**
   * Does all parts of a unit in order. What a part asks of the learner is asked before the part in
   * front of it is done, so that a learner that works ahead has both at hand.
   */
  static List<PartWork.Outcome> write(
      Workplace place, Unit.Quantized unit, UnitFileWriter writer, Progress progress) {
    List<PartWork.Outcome> outcomes = new ArrayList<>();
    Deque<PartWork> begun = new ArrayDeque<>();
    try {
      for (int part = 0; part < unit.parts().size(); part++) {
        begin(begun, of(place, unit, part, progress));
        if (part > 0) {
          outcomes.add(finish(begun, writer));
        }
      }
      outcomes.add(finish(begun, writer));
    } finally {
      begun.forEach(PartWork::close);
    }
    return outcomes;
  }

  /** Does one part by itself. */
  static PartWork.Outcome write(
      Workplace place, Unit.Quantized unit, int part, UnitFileWriter writer) {
    try (PartWork work = of(place, unit, part, Progress.NONE)) {
      work.begin();
      return work.write(writer);
    }
  }

  /** Among those that are closed whatever happens before it is asked to begin. */
  private static void begin(Deque<PartWork> begun, PartWork work) {
    begun.add(work);
    work.begin();
  }

  private static PartWork.Outcome finish(Deque<PartWork> begun, UnitFileWriter writer) {
    try (PartWork work = begun.remove()) {
      return work.write(writer);
    }
  }

  private static PartWork of(Workplace place, Unit.Quantized unit, int part, Progress progress) {
    return switch (unit.parts().get(part)) {
      case Part.Stack stack -> new StackWork(place, unit, part, progress);
      case Part.Pair pair -> new PairWork(place, unit, part, progress);
    };
  }

  /**
   * What the unit's parts take at most, one after the other, the next one's learning beside each
   * where the learner works ahead.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static MemoryNeed memoryNeeded(
      Unit.Quantized unit, Compute compute, ToLongFunction<Part.RowRange> momentBytes) {
    MemoryNeed most = MemoryNeed.NONE;
    MemoryNeed next = MemoryNeed.NONE;
    for (Part part : unit.parts().reversed()) {
      PartMemory memory =
          switch (part) {
            case Part.Stack stack -> StackMemory.of(stack, compute, momentBytes);
            case Part.Pair pair -> PairMemory.of(pair, compute, momentBytes);
          };
      most = most.max(memory.all().plus(next));
      next = compute.learner().worksAhead() ? memory.learning() : MemoryNeed.NONE;
    }
    return most;
  }
}
