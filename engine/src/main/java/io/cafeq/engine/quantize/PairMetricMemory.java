package io.cafeq.engine.quantize;

import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.rounding.FactorOutputs;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.SlabRows;
import java.util.function.ToLongFunction;

/** What knowing the inputs of a pair takes outside the heap. */
final class PairMetricMemory {
  private PairMetricMemory() {}

  /**
   * Native bytes at most beside those of a pass without statistics: both inputs' moments and the
   * left factor's metric stay, the right factor's is made once as it is and once as transformed,
   * and outputs are measured in them.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static long needed(Part.Pair pair, ToLongFunction<Part.RowRange> momentBytes) {
    if (pair.coupling().kind() != Coupling.Kind.VALUE_OUTPUT) {
      return 0;
    }
    long left = momentBytes.applyAsLong(pair.leftRows().getFirst());
    long right = momentBytes.applyAsLong(pair.rightRows().getFirst());
    if (left == 0 || right == 0) {
      return left;
    }
    int h = pair.coupling().heads().getFirst().size();
    int columns = pair.left().weight().columns();
    int channels = pair.right().weight().columns();
    int rows = Math.min(SlabRows.of(channels), pair.right().weight().allRows());
    int rightHeads = pair.coupling().heads().stream().mapToInt(head -> head.right().size()).sum();
    long ofLeft = InputMetric.factorBytes(left, columns, 0);
    long ofRight =
        InputMetric.factorBytes(right, channels, 0) + InputMetric.factorBytes(right, channels, h);
    long making =
        Math.max(
            InputMetric.makingBytes(left, columns, 0),
            Math.max(
                InputMetric.makingBytes(right, channels, 0),
                InputMetric.makingBytes(right, channels, h)));
    long measuring =
        Math.max(
            FactorOutputs.bytes(true, h, pair.coupling().heads().size(), h, columns),
            FactorOutputs.bytes(false, h, rightHeads, rows, channels));
    return left + right + ofLeft + ofRight + Math.max(making, measuring);
  }
}
