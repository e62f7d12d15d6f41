package io.cafeq.engine.quantize;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.transform.ColumnScales;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.DoubleStream;

/**
 * Column scales of stacks: which stacks have them, and what they are. A stack has them where its
 * treatment says so and statistics are taken of the one input that all its rows read.
 */
final class StackScales {
  /** Weights that are read at a time. */
  private static final int SLAB_WEIGHTS = 1 << 20;

  private StackScales() {}

  /**
   * The unit without column scales where nothing is known of the input.
   *
   * @param isKnown whether there are statistics of an input
   */
  static Unit.Quantized settled(Unit.Quantized unit, Predicate<Part.Stack> isKnown) {
    List<Part> parts = unit.parts().stream().map(part -> settled(part, isKnown)).toList();
    return parts.equals(unit.parts()) ? unit : new Unit.Quantized(unit.id(), unit.tensors(), parts);
  }

  private static Part settled(Part part, Predicate<Part.Stack> isKnown) {
    return switch (part) {
      case Part.Stack stack ->
          !stack.treatment().columnScales() || isKnown.test(stack)
              ? stack
              : new Part.Stack(stack.rows(), stack.treatment().withoutColumnScales());
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
          .map(moments -> diagonal(moments, place.damping()));
    }
  }

  private static double[] diagonal(InputMoments moments, double damping) {
    double raised = damping * moments.meanDiagonal();
    return DoubleStream.of(moments.diagonal()).map(entry -> entry + raised).toArray();
  }

  /** Sums over rows of the squares of each column. */
  private static double[] squares(Workplace place, Part.Stack stack) {
    int columns = stack.columns();
    double[] squares = new double[columns];
    float[] row = new float[columns];
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix slab = FloatMatrix.allocate(arena, slabRows(stack), columns);
      for (Part.RowRange range : stack.rows()) {
        for (int done = 0; done < range.count(); done += slab.rows()) {
          place.stop().check();
          FloatMatrix rows = slab.slice(0, Math.min(slab.rows(), range.count() - done));
          place.reader().readFloats(range.tensor().weight(), range.first() + done, 0, rows);
          for (int i = 0; i < rows.rows(); i++) {
            MemorySegment.copy(
                rows.segment(),
                ValueLayout.JAVA_FLOAT,
                (long) Float.BYTES * i * columns,
                row,
                0,
                columns);
            for (int j = 0; j < columns; j++) {
              squares[j] += (double) row[j] * row[j];
            }
          }
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
