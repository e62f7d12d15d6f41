package io.cafeq.engine.compute;

import java.util.List;

/** What became of a learning task. */
public sealed interface LearningAnswer {
  /**
   * @param blocks the learned M, row-major [k, k] each; one for a head of a pair; the caller's
   */
  record Learned(List<double[]> blocks) implements LearningAnswer {}

  /**
   * The learner failed; all further answers of its batch are failures too.
   *
   * @param reason what happened, as a part of a sentence
   * @param remedy one sentence that says what the user can do
   * @param fallsBack whether the unit may be learned on the CPU instead
   */
  record Failed(String reason, String remedy, boolean fallsBack) implements LearningAnswer {}

  /** The learned blocks; throws a {@link LearnerFailure} where there are none. */
  default List<double[]> blocks() {
    return switch (this) {
      case Learned(List<double[]> blocks) -> blocks;
      case Failed failed -> throw new LearnerFailure(failed);
    };
  }
}
