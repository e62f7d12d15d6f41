package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;

/**
 * What a worker works with on one unit; all borrowed.
 *
 * @param hashes of source tensors that were read whole
 * @param biases what pairs do to biases
 * @param baselines whether plain rounding is measured also where the result does not need it
 */
record Workplace(
    Checkpoint checkpoint,
    TensorReader reader,
    ComputeLane lane,
    StopFlag stop,
    SourceHashes hashes,
    BiasFolds biases,
    boolean baselines) {}
