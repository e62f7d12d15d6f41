/**
 * Bit allocation under the recipe's {@code target-bpw}. Errors of candidate grids and transforms
 * are measured on samples of each unit's weights; {@link io.cafeq.engine.budget.Allocation} then
 * picks one treatment per unit. Start at {@link io.cafeq.engine.budget.BudgetPlan}.
 *
 * <p>It minimizes the sum over tensors of weights times squared relative output error. Without
 * statistics the relative l2 error of the weights stands for it, to which it is equal for inputs of
 * equal power in all channels.
 */
@NullMarked
package io.cafeq.engine.budget;

import org.jspecify.annotations.NullMarked;
