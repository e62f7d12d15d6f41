/**
 * The default backend on x86-64: ND4J does the matrix products of learning, in float, one BLAS
 * thread a lane; everything else is plain Java. Start at {@link
 * io.cafeq.engine.compute.nd4j.Nd4jBackend}; {@link io.cafeq.engine.compute.nd4j.RowRanges} and
 * {@link io.cafeq.engine.compute.nd4j.StripeRanges} are the hot loops of learning.
 */
@NullMarked
package io.cafeq.engine.compute.nd4j;

import org.jspecify.annotations.NullMarked;
