package io.cafeq.engine.plan;

import io.cafeq.config.Rounding;
import io.cafeq.config.Side;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;

/**
 * What a unit will take, known before any weight is read. Falling back to plain rounding can only make it less.
 *
 * @param weights elements of all tensors
 * @param codeBits bits of the codes; for copied tensors, of their bytes
 * @param scaleBits bits of the scales
 * @param zeroBits bits of the zero points or minimums
 * @param transformBits bits of the stored transforms
 * @param learningOperations multiplications and additions of all learning steps: 4 k n k a step and block
 */
public record UnitEstimate(
    long weights, long codeBits, long scaleBits, long zeroBits, long transformBits, long learningOperations) {

  public static final UnitEstimate NOTHING = new UnitEstimate(0, 0, 0, 0, 0, 0);

  public static UnitEstimate of(Unit unit) {
    return switch (unit) {
      case Unit.Quantized quantized -> of(quantized);
      case Unit.Copied copied -> {
        long bytes = copied.tensors().stream().mapToLong(tensor -> tensor.info().bytes()).sum();
        yield new UnitEstimate(copied.weights(), 8 * bytes, 0, 0, 0, 0);
      }
    };
  }

  private static UnitEstimate of(Unit.Quantized unit) {
    GridSpec grid = unit.treatment().grid();
    TransformSpec transform = unit.treatment().transform();
    int columns = unit.columns();
    long rows = unit.rows();
    long codes = grid.bits() * rows * columns;
    long zeros = (long) grid.zeroBits() * grid.groups(columns) * rows;
    long scales = grid.bitsPerRow(columns) * rows - codes - zeros;
    long operations = switch (transform) {
      case TransformSpec.None none -> 0;
      case BlockDiagonal blocks -> unit.treatment().steps() * operationsPerStep(blocks, rows, columns);
    };
    return new UnitEstimate(unit.weights(), codes, scales, zeros, transform.bits(rows, columns), operations);
  }

  private static long operationsPerStep(BlockDiagonal blocks, long rows, int columns) {
    return switch (blocks.kind()) {
      case LEARNED -> {
        long channels = blocks.side() == Side.INPUT ? columns : rows;
        long n = blocks.side() == Side.INPUT ? rows : columns;
        long k = blocks.block();
        long tail = channels % k;
        yield 4 * n * (channels / k * k * k + tail * tail);
      }
      case ROTATION, HADAMARD -> 0;
    };
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

  /** What is done to a unit in a few words, such as {@code input k=64, group 64, symmetric, 4 bits}. */
  public static String describe(Unit unit) {
    return switch (unit) {
      case Unit.Quantized quantized -> describe(quantized.treatment());
      case Unit.Copied copied -> "copied";
    };
  }

  /** The same for what is done to a quantized unit. */
  public static String describe(Treatment treatment) {
    GridSpec grid = treatment.grid();
    String transform = switch (treatment.transform()) {
      case TransformSpec.None none -> "no transform";
      case BlockDiagonal blocks -> "%s%s k=%d".formatted(switch (blocks.kind()) {
        case LEARNED -> "";
        case ROTATION -> "rotation ";
        case HADAMARD -> "hadamard ";
      }, blocks.side(), blocks.block());
    };
    String group = grid.wholeRow() ? "whole rows" : "group " + grid.group();
    String drawn = treatment.rounding() == Rounding.STOCHASTIC ? ", stochastic" : "";
    return "%s, %s, %s, %d bits%s".formatted(transform, group, grid.storage(), grid.bits(), drawn);
  }
}
