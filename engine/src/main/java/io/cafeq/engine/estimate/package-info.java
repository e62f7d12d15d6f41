/**
 * Estimates the diagonal of each input Hessian from the weights alone: no token is run. Start at
 * {@link io.cafeq.engine.estimate.DiagonalEstimates}, which says how.
 */
@NullMarked
package io.cafeq.engine.estimate;

import org.jspecify.annotations.NullMarked;
