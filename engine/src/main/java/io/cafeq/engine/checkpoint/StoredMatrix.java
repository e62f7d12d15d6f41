package io.cafeq.engine.checkpoint;

import java.util.List;

/**
 * A stored tensor seen as one matrix, those of all experts below one another.
 *
 * @param dtype of the elements; it can differ from the tensor's, which says U8 of packed ones
 * @param stacked whether there are experts, for messages
 * @param rows of one expert's matrix
 * @param meaning of the elements, for messages
 */
record StoredMatrix(
    TensorInfo info, Dtype dtype, boolean stacked, long rows, long columns, Meaning meaning) {
  /**
   * @param noun what an element is
   * @param weight the name of the weights that it goes into, which alone can be excluded
   */
  record Meaning(String noun, String weight) {
    private static final String WEIGHT = "weight";

    static Meaning weightOf(TensorInfo info) {
      return new Meaning(WEIGHT, info.name());
    }

    boolean isWeight() {
      return noun.equals(WEIGHT);
    }
  }

  /** A tensor of two or three dimensions as it is stored. */
  static StoredMatrix of(TensorInfo info) {
    List<Long> shape = info.shape();
    return new StoredMatrix(
        info,
        info.dtype(),
        shape.size() == 3,
        shape.get(shape.size() - 2),
        shape.getLast(),
        Meaning.weightOf(info));
  }

  /** What a weight tensor means. */
  static StoredMatrix of(WeightTensor weight) {
    return new StoredMatrix(
        weight.info(),
        weight.info().dtype(),
        weight.isStack(),
        weight.rows(),
        weight.columns(),
        Meaning.weightOf(weight.info()));
  }

  /**
   * The failure of one element that is not finite as a float; {@code row} is counted through all
   * experts.
   */
  CheckpointException notFinite(TensorSource source, long row, long column, float value) {
    boolean isProduct = meaning.isWeight() && !dtype.isWeight();
    String infinity =
        dtype == Dtype.F64 || isProduct ? "infinity, or beyond the range of floats" : "infinity";
    return new CheckpointException(
        source.place(info)
            + ": "
            + (stacked ? "expert " + row / rows + ", " : "")
            + "row "
            + row % rows
            + ", column "
            + column
            + ": expected a finite "
            + meaning.noun()
            + ", found "
            + (Float.isNaN(value) ? "NaN" : infinity),
        BrokenWeights.remedy(meaning.weight()));
  }
}
