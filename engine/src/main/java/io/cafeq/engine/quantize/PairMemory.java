package io.cafeq.engine.quantize;

import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.RoundingShape;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.rounding.FactorOutputs;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.SlabRows;
import java.util.function.ToLongFunction;

/** What a pass over a pair takes. */
final class PairMemory {
  private static final long HEAP_BYTES_PER_ENTRY = 100;

  private PairMemory() {}

  /**
   * Bytes of the heap: h x h matrices for every left head, in doubles M, the products of both
   * factors and those being summed, those of the originals, in floats the blocks of the present and
   * of the best half step.
   */
  private static long heapNeeded(Part.Pair pair) {
    return pair.coupling().heads().stream()
        .mapToLong(head -> HEAP_BYTES_PER_ENTRY * head.size() * head.size())
        .sum();
  }

  /**
   * What a pass takes at most: heads are learned before anything is rounded.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static PartMemory of(Part.Pair pair, Compute compute, ToLongFunction<Part.RowRange> momentBytes) {
    long inputs = inputsNeeded(pair, momentBytes);
    MemoryNeed learning = PairTransforms.memoryNeeded(pair, compute.learner());
    MemoryNeed rounding = slabsNeeded(pair, compute.backend(), inputs > 0);
    MemoryNeed kept = MemoryNeed.host(inputs, heapNeeded(pair));
    return new PartMemory(learning, learning.max(rounding).plus(kept));
  }

  /**
   * What rounding in turns and writing take at most.
   *
   * @param inMetric whether the inputs of both factors are known
   */
  private static MemoryNeed slabsNeeded(Part.Pair pair, ComputeBackend backend, boolean inMetric) {
    int head = pair.coupling().heads().getFirst().size();
    return need(
            backend, inMetric, head, head, pair.left().weight().columns(), pair.treatment().left())
        .max(
            need(
                backend,
                inMetric,
                head,
                pair.coupling().kind() == Coupling.Kind.QUERY_KEY
                    ? head
                    : pair.right().weight().allRows(),
                pair.right().weight().columns(),
                pair.treatment().right()));
  }

  private static MemoryNeed need(
      ComputeBackend backend,
      boolean inMetric,
      int head,
      int mostRows,
      int columns,
      GridSpec grid) {
    int rows = Math.min(Math.max(head, SlabRows.of(columns)), mostRows);
    return MemoryNeed.host(
            2L * Float.BYTES * rows * columns + SlabBuffers.bytes(grid, rows, columns), 0)
        .plus(
            backend.roundingNeed(
                new RoundingShape(
                    rows,
                    columns,
                    PlainGrids.leastGroup(grid, 1, columns, grid.bitsPerRow(columns)),
                    true,
                    inMetric)));
  }

  /**
   * Native bytes at most beside those of a pass without statistics: both inputs' moments and the
   * left factor's metric stay, the right factor's is made once as it is and once as transformed,
   * and outputs are measured in them.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  private static long inputsNeeded(Part.Pair pair, ToLongFunction<Part.RowRange> momentBytes) {
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
