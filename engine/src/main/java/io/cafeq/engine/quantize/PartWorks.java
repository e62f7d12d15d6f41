package io.cafeq.engine.quantize;

import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Unit;
import java.util.function.ToLongFunction;

/** Finds who does a part. */
final class PartWorks {
  private PartWorks() {}

  static PartWork of(Workplace place, Unit.Quantized unit, int part, Progress progress) {
    return switch (unit.parts().get(part)) {
      case Part.Stack stack -> new StackWork(place, unit, part, progress);
      case Part.Pair pair -> new PairWork(place, unit, part, progress);
    };
  }

  /**
   * Bytes of the heap that the unit's parts take at most, one after the other, beyond small tiles.
   */
  static long heapNeeded(Unit.Quantized unit) {
    return unit.parts().stream()
        .mapToLong(
            part ->
                switch (part) {
                  case Part.Stack stack -> 0L;
                  case Part.Pair pair -> PairWork.heapNeeded(pair);
                })
        .max()
        .orElse(0);
  }

  /**
   * Native bytes that the unit's parts take at most, one after the other.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static long memoryNeeded(Unit.Quantized unit, ToLongFunction<Part.RowRange> momentBytes) {
    return unit.parts().stream()
        .mapToLong(
            part ->
                switch (part) {
                  case Part.Stack stack -> StackWork.memoryNeeded(stack, momentBytes);
                  case Part.Pair pair -> PairWork.memoryNeeded(pair, momentBytes);
                })
        .max()
        .orElse(0);
  }
}
