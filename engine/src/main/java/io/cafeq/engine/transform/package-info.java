/**
 * Invertible block-diagonal transforms: where they start (random rotation, Hadamard), how they are
 * learned, and how they are stored. Start at {@link io.cafeq.engine.transform.BlockLearner}, which
 * minimises an {@link io.cafeq.engine.transform.Objective} that a compute backend evaluates; {@link
 * io.cafeq.engine.transform.BlockTransform} is what the rounding needs to know of one finished
 * block. The transform between two coupled factors is {@link
 * io.cafeq.engine.transform.PairLearner}'s: a {@link io.cafeq.engine.transform.PairProblem} says
 * what it is to minimise. All small k x k work here is double in a fixed order, so that every
 * machine gets the same bits.
 */
@NullMarked
package io.cafeq.engine.transform;

import org.jspecify.annotations.NullMarked;
