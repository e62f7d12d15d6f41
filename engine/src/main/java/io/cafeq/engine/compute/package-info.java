/**
 * Runs the arithmetic. A {@link io.cafeq.engine.compute.ComputeBackend} rounds, a {@link
 * io.cafeq.engine.compute.Learner} learns; ServiceLoader finds each by itself, and {@link
 * io.cafeq.engine.compute.Compute} holds the two that a process uses. Each unit opens a {@link
 * io.cafeq.engine.compute.ComputeLane}, one thread with its own scratch memory, and asks the
 * learner for batches. Both state what they take before they take it. Start at Compute.
 */
@NullMarked
package io.cafeq.engine.compute;

import org.jspecify.annotations.NullMarked;
