/**
 * Decides what will be done to which tensor: model family, roles, shared inputs, settings of each unit. Start at
 * {@link io.cafeq.engine.plan.Planner}; the result is a {@link io.cafeq.engine.plan.Plan} of {@link
 * io.cafeq.engine.plan.Unit}s in disk order.
 */
@NullMarked
package io.cafeq.engine.plan;

import org.jspecify.annotations.NullMarked;
