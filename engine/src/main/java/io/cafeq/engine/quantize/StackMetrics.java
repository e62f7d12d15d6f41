package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.ScaledMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The metrics in which the rows of a stack are rounded, made once for consecutive ranges that read
 * the same input. Owns the memory of the present ones; not thread-safe.
 */
final class StackMetrics implements AutoCloseable {
  private static final Metrics NOTHING_KNOWN =
      new Metrics(InputMetric.NONE, InputMetric.NONE, InputMetric.NONE);

  private final Workplace place;
  private final Optional<ColumnScales> scales;
  private final List<BlockTransform> inputBlocks;
  private @Nullable Present present;

  /**
   * @param inputBlocks of the stack's transform on the input side; empty where there is none
   */
  StackMetrics(Workplace place, Optional<ColumnScales> scales, List<BlockTransform> inputBlocks) {
    this.place = place;
    this.scales = scales;
    this.inputBlocks = inputBlocks;
  }

  /**
   * Metrics of one input, good until those of another are asked for.
   *
   * @param ofWeights of rows as they are
   * @param ofScaled of the rows times the column scales; the same where there are none
   * @param ofValues of what is rounded: that of the scaled rows but for a transform on the input
   *     side
   */
  record Metrics(InputMetric ofWeights, InputMetric ofScaled, InputMetric ofValues) {}

  private record Present(Optional<MatrixInput> input, Arena arena, Metrics metrics) {}

  Metrics of(Part.RowRange range) {
    Optional<MatrixInput> input = StackInput.of(range, place.inputs());
    Present last = present;
    if (last != null && last.input().equals(input)) {
      return last.metrics();
    }
    close();
    Arena arena = Arena.ofConfined();
    // Owned before anything is made in it, so that a failure leaves nothing behind.
    present = new Present(input, arena, NOTHING_KNOWN);
    Metrics made = input.flatMap(known -> make(known, arena)).orElse(NOTHING_KNOWN);
    present = new Present(input, arena, made);
    return made;
  }

  private Optional<Metrics> make(MatrixInput input, Arena arena) {
    return place.statistics().read(input, arena).map(moments -> make(input, moments, arena));
  }

  private Metrics make(MatrixInput input, InputMoments moments, Arena arena) {
    MatrixProducts products = place.lane().products();
    InputMetric ofWeights = InputMetric.of(moments, place.damping(), products, arena);
    InputMetric ofScaled =
        scales
            .filter(each -> moments.meanDiagonal() > 0)
            .map(each -> scaled(input, ofWeights.raised(), each, arena))
            .orElse(ofWeights);
    return new Metrics(
        ofWeights,
        ofScaled,
        inputBlocks.isEmpty() ? ofScaled : ofScaled.under(inputBlocks, products, arena));
  }

  /** Of another copy of the moments, since a metric goes on with those that it was made of. */
  private InputMetric scaled(MatrixInput input, double raised, ColumnScales each, Arena arena) {
    InputMoments copy = place.statistics().read(input, arena).orElseThrow();
    ScaledMoments.apply(copy, raised, each);
    return InputMetric.of(copy, 0, place.lane().products(), arena);
  }

  /**
   * Native bytes at most of moments and metrics; 0 where nothing is known of the inputs.
   *
   * @param momentBytes of a range's input
   */
  static long memoryNeeded(Part.Stack stack, ToLongFunction<Part.RowRange> momentBytes) {
    int columns = stack.columns();
    long moments = stack.rows().stream().mapToLong(momentBytes).max().orElse(0);
    if (moments == 0) {
      return 0;
    }
    int widest =
        stack.treatment().transform() instanceof BlockDiagonal blocks && blocks.side() == Side.INPUT
            ? Math.min(blocks.block(), columns)
            : 0;
    int copies = stack.treatment().columnScales() ? 2 : 1;
    long ofWeights = copies * InputMetric.factorBytes(moments, columns, 0);
    long ofValues = widest == 0 ? 0 : InputMetric.factorBytes(moments, columns, widest);
    long making =
        Math.max(
            InputMetric.makingBytes(moments, columns, 0),
            widest == 0 ? 0 : InputMetric.makingBytes(moments, columns, widest));
    return copies * moments + ofWeights + ofValues + making;
  }

  @Override
  public void close() {
    Present last = present;
    present = null;
    if (last != null) {
      last.arena().close();
    }
  }
}
