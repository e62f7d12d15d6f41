/**
 * A quantization job from a checkpoint's path to the report, the same for the command line and for
 * a daemon. Start at {@link io.cafeq.actors.job.QuantizeJob}: it plans, {@link
 * io.cafeq.actors.job.JobRun} takes the plan through an actor system of its own, {@link
 * io.cafeq.actors.job.JobListener} hears how far it is, and {@link io.cafeq.actors.job.JobResult}
 * says how it ended.
 */
@NullMarked
package io.cafeq.actors.job;

import org.jspecify.annotations.NullMarked;
