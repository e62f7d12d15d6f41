package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The right heads that share one left head, as the one factor that a learner sees. */
public final class HeadStack {
  private HeadStack() {}

  /**
   * Reads the right heads of a group. Of values and outputs they are stacked, [heads * out, h]; of
   * keys and queries they are side by side, [h, heads * in].
   *
   * @param weight the right matrix
   */
  public static FloatMatrix read(
      Arena arena,
      TensorReader reader,
      Coupling.Kind kind,
      WeightTensor weight,
      Coupling.Head head,
      StopFlag stop) {
    int count = head.right().size();
    return switch (kind) {
      case VALUE_OUTPUT -> {
        int rows = weight.allRows();
        FloatMatrix stacked =
            FloatMatrix.allocate(arena, Math.multiplyExact(rows, count), head.size());
        for (int i = 0; i < count; i++) {
          stop.check();
          reader.readFloats(weight, 0, head.right().get(i), stacked.slice(i * rows, rows));
        }
        yield stacked;
      }
      case QUERY_KEY -> {
        int columns = weight.columns();
        FloatMatrix beside =
            FloatMatrix.allocate(arena, head.size(), Math.multiplyExact(columns, count));
        FloatMatrix one = FloatMatrix.allocate(arena, head.size(), columns);
        for (int i = 0; i < count; i++) {
          stop.check();
          reader.readFloats(weight, head.right().get(i), 0, one);
          for (int row = 0; row < head.size(); row++) {
            MemorySegment.copy(
                one.segment(),
                (long) Float.BYTES * row * columns,
                beside.segment(),
                (long) Float.BYTES * ((long) row * count + i) * columns,
                (long) Float.BYTES * columns);
          }
        }
        yield beside;
      }
    };
  }
}
