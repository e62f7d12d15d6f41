package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.Optional;

/** One way in which other programs store quantized weights. */
interface QuantizedWeights {
  /**
   * What goes into a tensor's weights beside itself, by names and types alone; none for tensors
   * stored otherwise.
   */
  List<TensorInfo> companions(TensorInfo info);

  /**
   * What the tensor is, for one that has companions.
   *
   * @param transposed whether the model's family stores it as [in, out]
   */
  Reading read(TensorInfo info, boolean transposed);

  /** As weights, unless there are more than can be counted. */
  static Reading counted(WeightTensor weight) {
    WeightLayout.Quantized layout = (WeightLayout.Quantized) weight.layout();
    List<Long> shape = layout.weights();
    long experts = shape.size() > 2 ? shape.getFirst() : 1;
    long rows = shape.get(shape.size() - 2);
    return shape.getLast() > Integer.MAX_VALUE
            || rows > Integer.MAX_VALUE
            || experts > Integer.MAX_VALUE / rows
        ? new Reading.NoWeights(
            "has the shape " + weight.info().shape() + ", more rows or columns than are counted")
        : new Reading.Weights(weight);
  }

  /** Weights [out, in] or [experts, out, in]. */
  static List<Long> shape(TileFinder.Stored matrix) {
    return matrix.experts() > 0
        ? List.of(matrix.experts(), matrix.out(), matrix.in())
        : List.of(matrix.out(), matrix.in());
  }

  /** The layout's name for weights whose tensor does not tell their shape, or that are stacked. */
  static LayoutKind kind(boolean transposed) {
    return transposed ? LayoutKind.SCALED_TRANSPOSED : LayoutKind.SCALED;
  }

  /** Scales of a shape that does not go with that of the weights. */
  static Reading.NoWeights mismatch(TensorInfo info, TensorInfo scales, String expected) {
    return new Reading.NoWeights(
        "has the shape "
            + info.shape()
            + ", and its scales "
            + VisibleText.quoted(scales.name())
            + " ("
            + scales.file()
            + ") have "
            + scales.shape()
            + ": expected "
            + expected);
  }

  /** Where the shape is that of neither a matrix nor a stack of them. */
  static Optional<Reading> noMatrix(TensorInfo info, String elements) {
    int dimensions = info.shape().size();
    return dimensions < 2 || dimensions > 3
        ? Optional.of(
            new Reading.NoWeights(
                "has "
                    + elements
                    + " of shape "
                    + info.shape()
                    + "; a matrix has 2 dimensions, a stack of them 3"))
        : Optional.empty();
  }

  /** Why the weights are not those of the model by themselves. */
  static Optional<Reading> scaledInputs(Companions companions, TensorInfo info) {
    return companions
        .find(info, "pre_quant_scale")
        .map(
            scale ->
                new Reading.NoWeights(
                    "is to be multiplied with inputs that are scaled by "
                        + VisibleText.quoted(scale.name())
                        + ", as AWQ does"));
  }
}
