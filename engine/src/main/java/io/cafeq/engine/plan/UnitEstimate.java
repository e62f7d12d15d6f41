package io.cafeq.engine.plan;

import io.cafeq.config.Rounding;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.List;

/**
 * Estimates a unit before any weight is read. A fallback to round-to-nearest only takes less.
 *
 * @param weights elements of all tensors
 * @param codeBits bits of the codes; for copied tensors, of their bytes
 * @param scaleBits bits of the scales
 * @param zeroBits bits of the zero points or minimums
 * @param transformBits bits of the stored transforms
 * @param learningOperations multiplications and additions of all learning steps: 4 k n k per step
 *     and block
 */
public record UnitEstimate(
    long weights,
    long codeBits,
    long scaleBits,
    long zeroBits,
    long transformBits,
    long learningOperations) {

  public static final UnitEstimate NOTHING = new UnitEstimate(0, 0, 0, 0, 0, 0);

  public static UnitEstimate of(Unit unit) {
    return switch (unit) {
      case Unit.Quantized quantized ->
          quantized.parts().stream().map(UnitEstimate::of).reduce(NOTHING, UnitEstimate::plus);
      case Unit.Copied copied -> {
        long bytes = copied.tensors().stream().mapToLong(tensor -> tensor.info().bytes()).sum();
        yield new UnitEstimate(copied.weights(), 8 * bytes, 0, 0, 0, 0);
      }
    };
  }

  private static UnitEstimate of(Part part) {
    return switch (part) {
      case Part.Stack stack ->
          rows(stack.treatment().grid(), stack.totalRows(), stack.columns())
              .plus(
                  new UnitEstimate(
                      0,
                      0,
                      stack.columnScaleBits(),
                      0,
                      stack.transformBits(),
                      learningOperations(stack)));
      case Part.Pair pair ->
          rows(pair.treatment().left(), pair.leftRows())
              .plus(rows(pair.treatment().right(), pair.rightRows()))
              .plus(new UnitEstimate(0, 0, 0, 0, pair.reverseBits(), learningOperations(pair)));
    };
  }

  private static UnitEstimate rows(GridSpec grid, List<Part.RowRange> ranges) {
    long rows = ranges.stream().mapToLong(Part.RowRange::count).sum();
    return rows(grid, rows, ranges.getFirst().tensor().weight().columns());
  }

  private static UnitEstimate rows(GridSpec grid, long rows, int columns) {
    long codes = grid.bits() * rows * columns;
    long zeros = (long) grid.zeroBits() * grid.groups(columns) * rows;
    long scales = grid.bitsPerRow(columns) * rows - codes - zeros;
    return new UnitEstimate(rows * columns, codes, scales, zeros, 0, 0);
  }

  private static long learningOperations(Part.Stack stack) {
    if (!(stack.treatment().transform() instanceof BlockDiagonal blocks)
        || blocks.kind() != BlockDiagonal.Kind.LEARNED) {
      return 0;
    }
    long operations =
        switch (blocks.side()) {
          case INPUT -> operationsPerStep(blocks.block(), stack.columns(), stack.totalRows());
          case OUTPUT ->
              stack.rows().stream()
                  .mapToLong(
                      range -> operationsPerStep(blocks.block(), range.count(), stack.columns()))
                  .sum();
        };
    return stack.treatment().steps() * operations;
  }

  private static long operationsPerStep(long k, long channels, long n) {
    long tail = channels % k;
    return 4 * n * (channels / k * k * k + tail * tail);
  }

  /** M V, its gradient's V^T, and the same for O: 4 h^2 (d + n) per step and head. */
  private static long learningOperations(Part.Pair pair) {
    if (pair.treatment().basis() != PairTreatment.Basis.LEARNED) {
      return 0;
    }
    long size = pair.coupling().heads().getFirst().size();
    return 4 * size * pair.weights() * pair.treatment().settings().steps();
  }

  public long totalBits() {
    return codeBits + scaleBits + zeroBits + transformBits;
  }

  /** All bits by all weights; 0 for a unit without weights. */
  public double bitsPerWeight() {
    return weights == 0 ? 0 : (double) totalBits() / weights;
  }

  /** Bytes on disk, without what the file format adds for each row. */
  public long bytes() {
    return (totalBits() + 7) / 8;
  }

  public UnitEstimate plus(UnitEstimate other) {
    return new UnitEstimate(
        weights + other.weights,
        codeBits + other.codeBits,
        scaleBits + other.scaleBits,
        zeroBits + other.zeroBits,
        transformBits + other.transformBits,
        learningOperations + other.learningOperations);
  }

  /**
   * What is done to a unit in a few words, such as {@code input k=64, group 64, symmetric, 4 bits}.
   */
  public static String describe(Unit unit) {
    return switch (unit) {
      case Unit.Quantized quantized -> {
        List<String> texts =
            quantized.parts().stream().map(UnitEstimate::describe).distinct().toList();
        yield texts.size() <= 3
            ? String.join("; ", texts)
            : texts.getFirst() + "; and %d others".formatted(texts.size() - 1);
      }
      case Unit.Copied copied -> "copied";
    };
  }

  /** The same for one part. */
  public static String describe(Part part) {
    return switch (part) {
      case Part.Stack stack -> describe(stack.treatment());
      case Part.Pair pair -> {
        String left = describe(pair.treatment().left());
        String right = describe(pair.treatment().right());
        yield "%s of %s and %s, %s"
            .formatted(
                switch (pair.treatment().basis()) {
                  case LEARNED -> "pair";
                  case ROTATION -> "rotated pair";
                  case UNCHANGED -> "plain pair";
                },
                pair.left().role().shortText(),
                pair.right().role().shortText(),
                left.equals(right) ? left : left + " and " + right);
      }
    };
  }

  /** The same for what is done to a stack. */
  public static String describe(Treatment treatment) {
    String transform =
        switch (treatment.transform()) {
          case TransformSpec.None none -> "no transform";
          case BlockDiagonal blocks ->
              "%s%s k=%d"
                  .formatted(
                      switch (blocks.kind()) {
                        case LEARNED -> "";
                        case ROTATION -> "rotation ";
                        case HADAMARD -> "hadamard ";
                      },
                      blocks.side(),
                      blocks.block());
        };
    String drawn = treatment.rounding() == Rounding.STOCHASTIC ? ", stochastic" : "";
    String scaled = treatment.columnScales() ? ", column scales" : "";
    return "%s%s, %s%s".formatted(transform, scaled, describe(treatment.grid()), drawn);
  }

  /** The same for a grid. */
  public static String describe(GridSpec grid) {
    String group = grid.wholeRow() ? "whole rows" : "group " + grid.group();
    return "%s, %s, %d bits".formatted(group, grid.storage(), grid.bits());
  }
}
