package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightLayout;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.TensorSettings;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.TransformSpec;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Rows of the same length that are treated alike, as one matrix, one range above the other.
 *
 * @param sharable whether there is a choice to transform its input together with that of others
 * @param scaled whether its columns are scaled where statistics of its input are known
 */
record Piece(List<RowRange> ranges, TensorSettings settings, boolean sharable, boolean scaled) {
  Piece {
    ranges = List.copyOf(ranges);
  }

  /** Pieces of the same kind, in different layers, gain alike from the same transform. */
  record Kind(String roles, long rows, int columns, TensorSettings settings, boolean sharable) {}

  Kind kind() {
    String roles =
        ranges.stream()
            .map(range -> range.tensor().role().text())
            .distinct()
            .collect(Collectors.joining("+"));
    return new Kind(roles, rows(), columns(), settings.unfused(), sharable);
  }

  /** Whether it is more than one tensor. */
  boolean isStack() {
    return ranges.stream().map(RowRange::tensor).distinct().count() > 1;
  }

  int columns() {
    return ranges.getFirst().tensor().weight().columns();
  }

  int rows() {
    return ranges.stream().mapToInt(RowRange::count).reduce(0, Math::addExact);
  }

  long weights() {
    return (long) rows() * columns();
  }

  /** What tells it from all others in a checkpoint, together with {@link #firstRow}. */
  String name() {
    return ranges.getFirst().tensor().name();
  }

  int firstRow() {
    return ranges.getFirst().first();
  }

  /** Bits of stored transforms. */
  long bits(TransformSpec transform) {
    return Part.Stack.transformBits(transform, ranges);
  }

  /** Everything that is stored. */
  long bits(Choice choice) {
    long scales = scaled ? ColumnScales.bits(columns()) : 0;
    return rows() * choice.grid().bitsPerRow(columns()) + scales + bits(choice.transform());
  }

  /** Whether reading one row costs as much as reading many: the weights are stored as [in, out]. */
  boolean isTransposed() {
    PlannedTensor first = ranges.getFirst().tensor();
    return first.weight().layout() instanceof WeightLayout.Transposed;
  }

  /** Fills the target with the rectangle that starts at the given row and column. */
  void read(TensorReader reader, int firstRow, int firstColumn, FloatMatrix target) {
    int done = 0;
    int above = 0;
    for (RowRange range : ranges) {
      int from = firstRow + done - above;
      int count = Math.min(target.rows() - done, range.count() - from);
      if (from < range.count() && count > 0) {
        reader.readFloats(
            range.tensor().weight(), range.first() + from, firstColumn, target.slice(done, count));
        done += count;
      }
      above += range.count();
    }
  }
}
