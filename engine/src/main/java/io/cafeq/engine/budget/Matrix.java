package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.PlannedTensor;
import java.util.List;

/**
 * Tensors with the same columns as one matrix, one above the other.
 *
 * @param tensors in the order in which their rows are counted
 */
record Matrix(List<PlannedTensor> tensors) {
  Matrix {
    tensors = List.copyOf(tensors);
  }

  int columns() {
    return tensors.getFirst().info().columns();
  }

  int rows() {
    return tensors.stream().mapToInt(tensor -> tensor.info().rows()).reduce(0, Math::addExact);
  }

  long weights() {
    return (long) rows() * columns();
  }

  /** What tells it from all others in a checkpoint. */
  String name() {
    return tensors.getFirst().name();
  }

  /** Fills the target with the rectangle that starts at the given row and column. */
  void read(TensorReader reader, int firstRow, int firstColumn, FloatMatrix target) {
    int done = 0;
    int above = 0;
    for (PlannedTensor tensor : tensors) {
      int rows = tensor.info().rows();
      int from = firstRow + done - above;
      int count = Math.min(target.rows() - done, rows - from);
      if (from < rows && count > 0) {
        reader.readFloats(tensor.info(), from, firstColumn, target.slice(done, count));
        done += count;
      }
      above += rows;
    }
  }
}
