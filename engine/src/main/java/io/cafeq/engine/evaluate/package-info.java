/**
 * Running a model: forward passes that stream through one layer's weights at a time, what goes into its matrices, its logits,
 * and text that it writes. Start at {@link io.cafeq.engine.evaluate.ForwardPass}.
 */
@NullMarked
package io.cafeq.engine.evaluate;

import org.jspecify.annotations.NullMarked;
