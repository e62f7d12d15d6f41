/**
 * Tests of the forward pass, against the one in double of {@link
 * io.cafeq.engine.model.ForwardPass}.
 */
@NullMarked
package io.cafeq.engine.forward;

import org.jspecify.annotations.NullMarked;
