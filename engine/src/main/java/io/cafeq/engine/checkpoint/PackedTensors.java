package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import java.util.Collection;
import java.util.regex.Pattern;

/**
 * Tells tensors that hold quantized weights from those that hold numbers for other purposes, by
 * name, type and shape.
 */
public final class PackedTensors {
  private static final Pattern OTHER_NUMBERS = Pattern.compile("bias|.*mask.*|.*position.*|.*_ids");

  private PackedTensors() {}

  /** Whether the tensor looks like quantized weights; floats of 16 bits and more never do. */
  public static boolean isPacked(Entry tensor) {
    String last = tensor.name().substring(tensor.name().lastIndexOf('.') + 1);
    return switch (tensor.dtype()) {
      case F64, F32, F16, BF16, F8_E8M0, I64, U64, BOOL -> false;
      case F8_E4M3, F8_E5M2, I32, I16, I8, U32, U16, U8 ->
          tensor.shape().size() >= 2 && !OTHER_NUMBERS.matcher(last).matches();
    };
  }

  /**
   * Whether it holds numbers in which a program could have packed weights, whatever its name and
   * shape.
   */
  static boolean mayHoldCodes(TensorInfo tensor) {
    String last = tensor.name().substring(tensor.name().lastIndexOf('.') + 1);
    return switch (tensor.dtype()) {
      case F64, F32, F16, BF16, F8_E8M0, F8_E4M3, F8_E5M2, BOOL -> false;
      case I64, I32, I16, I8, U64, U32, U16, U8 -> !OTHER_NUMBERS.matcher(last).matches();
    };
  }

  /**
   * Whether some quantized weights are none that can be read here, so that they stay as they are in
   * whatever is made.
   */
  static boolean stay(Collection<TensorInfo> tensors, WeightTensors weights) {
    return tensors.stream()
        .anyMatch(
            tensor ->
                isPacked(Entry.of(tensor))
                    && !weights.companions().containsKey(tensor.name())
                    && !isRead(tensor, weights));
  }

  private static boolean isRead(TensorInfo tensor, WeightTensors weights) {
    try {
      return weights.read(tensor, false) instanceof WeightTensors.Reading.Weights;
    } catch (CheckpointException inconsistent) {
      // The plan is refused for it.
      return false;
    }
  }
}
