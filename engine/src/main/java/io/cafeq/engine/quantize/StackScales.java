package io.cafeq.engine.quantize;

import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.transform.ColumnScales;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;

/**
 * Column scales of stacks: which stacks have them, and what they are. A stack has them where its
 * treatment says so and statistics are taken of the one input that all its rows read.
 */
final class StackScales {
  /** Weights that are read at a time. */
  private static final int SLAB_WEIGHTS = 1 << 20;

  private StackScales() {}

  /** The unit without column scales where there are no statistics of the input. */
  static Unit.Quantized settled(
      Unit.Quantized unit, InputStatistics statistics, MatrixInputs inputs) {
    List<Part> parts =
        unit.parts().stream().map(part -> settled(part, statistics, inputs)).toList();
    return parts.equals(unit.parts()) ? unit : new Unit.Quantized(unit.id(), unit.tensors(), parts);
  }

  private static Part settled(Part part, InputStatistics statistics, MatrixInputs inputs) {
    return switch (part) {
      case Part.Stack stack -> {
        boolean isKnown =
            StackInput.shared(stack.rows(), stack.columns(), inputs)
                .filter(input -> statistics.bytes(input) > 0)
                .isPresent();
        yield !stack.treatment().columnScales() || isKnown
            ? stack
            : new Part.Stack(stack.rows(), stack.treatment().withoutColumnScales());
      }
      case Part.Pair pair -> pair;
    };
  }

  /**
   * What fits the stack's weights and the damped moments of its input, read for it; empty where the
   * stack has none. Reads all its weights once.
   */
  static Optional<ColumnScales> of(Workplace place, Part.Stack stack) {
    if (!stack.treatment().columnScales()) {
      return Optional.empty();
    }
    Optional<double[]> diagonal = diagonal(place, stack);
    return Optional.of(
        diagonal
            .map(known -> ColumnScales.best(known, squares(place, stack)))
            // no token reached the input, and the file's header has been written
            .orElseGet(() -> ColumnScales.ones(stack.columns())));
  }

  private static Optional<double[]> diagonal(Workplace place, Part.Stack stack) {
    Optional<MatrixInput> input = StackInput.shared(stack.rows(), stack.columns(), place.inputs());
    try (Arena arena = Arena.ofConfined()) {
      return input
          .flatMap(known -> place.statistics().read(known, arena))
          .filter(moments -> moments.meanDiagonal() > 0)
          .map(moments -> moments.diagonal(place.damping() * moments.meanDiagonal()));
    }
  }

  /** Sums over rows of the squares of each column. */
  private static double[] squares(Workplace place, Part.Stack stack) {
    int columns = stack.columns();
    double[] squares = new double[columns];
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix slab = FloatMatrix.allocate(arena, slabRows(stack), columns);
      for (Part.RowRange range : stack.rows()) {
        for (int done = 0; done < range.count(); done += slab.rows()) {
          place.stop().check();
          FloatMatrix rows = slab.slice(0, Math.min(slab.rows(), range.count() - done));
          place.reader().readFloats(range.tensor().weight(), range.first() + done, 0, rows);
          rows.addColumnSquares(squares);
        }
      }
    }
    return squares;
  }

  private static int slabRows(Part.Stack stack) {
    int most = stack.rows().stream().mapToInt(Part.RowRange::count).max().orElseThrow();
    return Math.clamp(SLAB_WEIGHTS / stack.columns(), 1, most);
  }

  /**
   * Native bytes that choosing takes at most.
   *
   * @param momentBytes that the moments of the input take
   */
  static long memoryNeeded(Part.Stack stack, long momentBytes) {
    return stack.treatment().columnScales()
        ? Math.max(momentBytes, (long) Float.BYTES * slabRows(stack) * stack.columns())
        : 0;
  }
}
