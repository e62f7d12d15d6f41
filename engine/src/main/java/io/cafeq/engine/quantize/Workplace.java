package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.statistics.InputStatistics;

/**
 * What a worker works with on one unit; all borrowed.
 *
 * @param hashes of source tensors that were read whole
 * @param biases what pairs do to biases
 * @param statistics of the model's matrix inputs, as far as there are any; NONE where rounding
 *     counts all channels alike
 * @param damping part of the mean diagonal of second moments that is added to it
 * @param inputs which matrix reads what
 * @param baselines whether plain rounding is measured also where the result does not need it
 */
record Workplace(
    Checkpoint checkpoint,
    TensorReader reader,
    ComputeLane lane,
    Learner learner,
    StopFlag stop,
    SourceHashes hashes,
    BiasFolds biases,
    InputStatistics statistics,
    double damping,
    MatrixInputs inputs,
    boolean baselines) {
  /** The same where plain rounding is measured only as the result needs it. */
  Workplace withoutBaselines() {
    return new Workplace(
        checkpoint,
        reader,
        lane,
        learner,
        stop,
        hashes,
        biases,
        statistics,
        damping,
        inputs,
        false);
  }
}
