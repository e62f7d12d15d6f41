/**
 * How codes are chosen once transforms and grids stand: nearest, or nearest plane in the metric of the inverse transform.
 * Start at {@link io.cafeq.engine.rounding.SlabEncoder}.
 */
@NullMarked
package io.cafeq.engine.rounding;

import org.jspecify.annotations.NullMarked;
