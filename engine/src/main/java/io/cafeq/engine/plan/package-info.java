/**
 * Decides how each tensor is quantized: clusters, settings and treatments, units. Start at {@link
 * io.cafeq.engine.plan.Planner}; the result is a {@link io.cafeq.engine.plan.Plan} of {@link
 * io.cafeq.engine.plan.Unit}s in disk order.
 */
@NullMarked
package io.cafeq.engine.plan;

import org.jspecify.annotations.NullMarked;
