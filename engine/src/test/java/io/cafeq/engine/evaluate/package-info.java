/**
 * Tests of evaluations, against the forward passes in double of {@link
 * io.cafeq.engine.model.ForwardPass}.
 */
@NullMarked
package io.cafeq.engine.evaluate;

import org.jspecify.annotations.NullMarked;
