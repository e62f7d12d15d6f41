package io.cafeq.engine.checkpoint;

import java.util.List;

/**
 * A stored tensor seen as one matrix, those of all experts below one another.
 *
 * @param dtype of the elements; it can differ from the tensor's, which says U8 of packed ones
 * @param stacked whether there are experts, for messages
 * @param rows of one expert's matrix
 * @param noun what an element is, for messages
 */
record StoredMatrix(TensorInfo info, Dtype dtype, boolean stacked, long rows, long columns, String noun) {
  private static final String WEIGHT = "weight";

  /** A tensor of two or three dimensions as it is stored. */
  static StoredMatrix of(TensorInfo info) {
    List<Long> shape = info.shape();
    return new StoredMatrix(
        info, info.dtype(), shape.size() == 3, shape.get(shape.size() - 2), shape.getLast(), WEIGHT);
  }

  /** What a weight tensor means. */
  static StoredMatrix of(WeightTensor weight) {
    return new StoredMatrix(
        weight.info(), weight.info().dtype(), weight.isStack(), weight.rows(), weight.columns(), WEIGHT);
  }

  /** The failure of one element that is not finite as a float; {@code row} is counted through all experts. */
  CheckpointException notFinite(TensorSource source, long row, long column, float value) {
    boolean isProduct = noun.equals(WEIGHT) && !dtype.isWeight();
    String infinity =
        dtype == Dtype.F64 || isProduct ? "infinity, or beyond the range of floats" : "infinity";
    return new CheckpointException(
        source.place(info) + ": " + (stacked ? "expert " + row / rows + ", " : "") + "row " + row % rows
            + ", column " + column + ": expected a finite " + noun + ", found "
            + (Float.isNaN(value) ? "NaN" : infinity),
        "The weights are broken: use another copy of the checkpoint, or exclude this tensor.");
  }
}
