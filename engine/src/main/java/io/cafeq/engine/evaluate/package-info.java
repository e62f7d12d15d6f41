/**
 * Running a model and saying how well it does. Start at {@link
 * io.cafeq.engine.evaluate.ForwardPass} for passes that stream through one layer's weights at a
 * time, what goes into its matrices and its logits; at {@link io.cafeq.engine.evaluate.SelfText}
 * for text that a model writes; at {@link io.cafeq.engine.evaluate.TextEvaluation} for perplexity
 * and the comparison with a reference; and at {@link io.cafeq.engine.evaluate.TextTokenizer} for
 * text as tokens.
 */
@NullMarked
package io.cafeq.engine.evaluate;

import org.jspecify.annotations.NullMarked;
