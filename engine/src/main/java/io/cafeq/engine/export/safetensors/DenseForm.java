package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.WeightTensor;
import java.util.ArrayList;
import java.util.List;

/** What a quantized tensor becomes in an ordinary checkpoint, by the layout that its source had. */
final class DenseForm {
  private static final String BLOCKS = "_blocks";

  private DenseForm() {}

  /**
   * The tensor to write. Plain and transposed tensors keep name and type; quantized ones become
   * BF16, {@code X_blocks} becomes {@code X}.
   *
   * @param dtype the source's element type
   * @param shape what the weights mean: [out, in] or [experts, out, in]
   */
  static Entry of(LayoutKind layout, String name, Dtype dtype, List<Long> shape) {
    return switch (layout) {
      case PLAIN -> new Entry(name, dtype, shape);
      case TRANSPOSED -> new Entry(name, dtype, turned(shape));
      case TILED, SCALED -> new Entry(name, Dtype.BF16, shape);
      case SCALED_TRANSPOSED -> new Entry(name, Dtype.BF16, turned(shape));
      case MICRO_SCALED ->
          new Entry(
              name.endsWith(BLOCKS) ? name.substring(0, name.length() - BLOCKS.length()) : name,
              Dtype.BF16,
              turned(shape));
    };
  }

  /** What the weights mean: [out, in] or [experts, out, in]. */
  static List<Long> shape(WeightTensor weight) {
    long rows = weight.rows();
    long columns = weight.columns();
    return weight.isStack()
        ? List.of((long) weight.experts(), rows, columns)
        : List.of(rows, columns);
  }

  /** Whether the matrices are written as [in, out]. */
  static boolean isTurned(LayoutKind layout) {
    return layout.isTransposed() || layout == LayoutKind.MICRO_SCALED;
  }

  private static List<Long> turned(List<Long> shape) {
    List<Long> turned = new ArrayList<>(shape);
    turned.add(turned.size() - 2, turned.removeLast());
    return turned;
  }
}
