/**
 * The best use of a given number of bits. Errors of all candidate grids and transforms are measured
 * on samples of each unit's weights, and {@link io.cafeq.engine.budget.Allocation} then picks one
 * treatment a unit, so that all stored bits together stay within the recipe's {@code target-bpw}.
 *
 * <p>What is minimised is the sum over tensors of weights times squared relative l2 error. For
 * inputs of equal power in all channels the relative l2 error of a matrix is the relative error of
 * its output, which is the only sense in which errors of different tensors can be compared without
 * data.
 */
@NullMarked
package io.cafeq.engine.budget;

import org.jspecify.annotations.NullMarked;
