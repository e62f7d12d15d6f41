/**
 * How codes are chosen once transforms and grids are fixed: nearest, nearest plane in the metric of
 * the inverse transform and of the inputs ({@link io.cafeq.engine.rounding.InputMetric}), or
 * stochastic. Start at {@link io.cafeq.engine.rounding.SlabEncoder}; {@link
 * io.cafeq.engine.rounding.PairRounder} rounds two coupled factors with it, in turns, or where
 * their inputs are known one after the other.
 */
@NullMarked
package io.cafeq.engine.rounding;

import org.jspecify.annotations.NullMarked;
