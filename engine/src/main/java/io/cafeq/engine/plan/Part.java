package io.cafeq.engine.plan;

import io.cafeq.config.Side;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.TransformSpec;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * What is quantized together within a unit: a stack or a pair. The nearest word of the field is a
 * module.
 */
public sealed interface Part {
  /** Weights of all its rows. */
  long weights();

  /** The tensors of its rows, each once. */
  List<PlannedTensor> matrices();

  /**
   * A stack: rows that read the same input and share one transform, such as a fused QKV or gate+up
   * projection.
   *
   * @param rows of one tensor, or of several that read the same input; each range is within one
   *     expert's matrix
   */
  record Stack(List<RowRange> rows, Treatment treatment) implements Part {
    public Stack {
      rows = List.copyOf(rows);
    }

    @Override
    public List<PlannedTensor> matrices() {
      return rows.stream().map(RowRange::tensor).distinct().toList();
    }

    /** Input channels. */
    public int columns() {
      return rows.getFirst().tensor().weight().columns();
    }

    /** Output channels of all ranges together. */
    public long totalRows() {
      return rows.stream().mapToLong(RowRange::count).sum();
    }

    /**
     * Bits of the stored transforms: input-side blocks serve all rows, output-side blocks are those
     * of one range.
     */
    public long transformBits() {
      return transformBits(treatment.transform(), rows);
    }

    /** The same of any transform on such rows. */
    public static long transformBits(TransformSpec transform, List<RowRange> rows) {
      int columns = rows.getFirst().tensor().weight().columns();
      boolean output =
          transform instanceof TransformSpec.BlockDiagonal blocks && blocks.side() == Side.OUTPUT;
      return output
          ? rows.stream().mapToLong(range -> transform.bits(range.count(), columns)).sum()
          : transform.bits(rows.stream().mapToLong(RowRange::count).sum(), columns);
    }

    /** Bits of the stored column scales. */
    public long columnScaleBits() {
      return treatment.columnScales() ? ColumnScales.bits(columns()) : 0;
    }

    /** Everything stored: codes, scales, zero points, column scales, transforms. */
    public long bits() {
      return totalRows() * treatment.grid().bitsPerRow(columns())
          + columnScaleBits()
          + transformBits();
    }

    @Override
    public long weights() {
      return totalRows() * columns();
    }
  }

  /**
   * A pair: two matrices of which only the product counts, head by head. Its transform is folded
   * into both, as a mergeable rotation is. Of the left one these are the rows of the coupling's
   * heads, of the right one all (VALUE_OUTPUT), or the rows of the heads (QUERY_KEY).
   */
  record Pair(
      Coupling coupling,
      PlannedTensor left,
      Optional<PlannedTensor> leftBias,
      PlannedTensor right,
      Optional<PlannedTensor> rightBias,
      PairTreatment treatment)
      implements Part {

    @Override
    public List<PlannedTensor> matrices() {
      return List.of(left, right);
    }

    /** Rows of the left matrix, one range per head. */
    public List<RowRange> leftRows() {
      return coupling.heads().stream()
          .map(head -> new RowRange(left, head.left(), head.size()))
          .toList();
    }

    /** Rows of the right matrix: all, or one range per query head. */
    public List<RowRange> rightRows() {
      return switch (coupling.kind()) {
        case VALUE_OUTPUT -> List.of(new RowRange(right, 0, right.weight().allRows()));
        case QUERY_KEY ->
            coupling.heads().stream()
                .flatMap(
                    head ->
                        head.right().stream().map(first -> new RowRange(right, first, head.size())))
                .toList();
      };
    }

    public long leftWeights() {
      return leftRows().stream().mapToLong(RowRange::weights).sum();
    }

    public long rightWeights() {
      return rightRows().stream().mapToLong(RowRange::weights).sum();
    }

    /** Everything stored; a folded transform takes no bits. */
    public long bits() {
      return bits(treatment.left(), treatment.right()) + reverseBits();
    }

    /**
     * Bits of the stored inverses where the transform is undone before saving, one for each head on
     * either side.
     */
    public long reverseBits() {
      if (!treatment.isReversed()) {
        return 0;
      }
      return coupling.heads().stream()
          .mapToLong(
              head ->
                  (1 + head.right().size())
                      * new TransformSpec.BlockDiagonal(
                              TransformSpec.BlockDiagonal.Kind.LEARNED,
                              Side.OUTPUT,
                              head.size(),
                              treatment.reverseStorage())
                          .bits(head.size(), head.size()))
          .sum();
    }

    /** Codes, scales and zero points on any grids. */
    public long bits(GridSpec leftGrid, GridSpec rightGrid) {
      return bits(leftGrid, leftRows()) + bits(rightGrid, rightRows());
    }

    private static long bits(GridSpec grid, List<RowRange> rows) {
      int columns = rows.getFirst().tensor().weight().columns();
      return grid.bitsPerRow(columns) * rows.stream().mapToLong(RowRange::count).sum();
    }

    @Override
    public long weights() {
      return leftWeights() + rightWeights();
    }
  }

  /** Rows [first, first + count) of a tensor, counted through all experts. */
  record RowRange(PlannedTensor tensor, int first, int count) {
    /** All rows of a tensor, one range for each expert. */
    public static List<RowRange> all(PlannedTensor tensor) {
      int rows = tensor.weight().rows();
      return IntStream.range(0, tensor.weight().experts())
          .mapToObj(expert -> new RowRange(tensor, expert * rows, rows))
          .toList();
    }

    public long weights() {
      return (long) count * tensor.weight().columns();
    }

    /** The matrix of a stack that the rows are of. */
    public int expert() {
      return first / tensor.weight().rows();
    }
  }
}
