/** Tests of the weights that a forward pass reads, from checkpoints and from results. */
@NullMarked
package io.cafeq.engine.weights;

import org.jspecify.annotations.NullMarked;
