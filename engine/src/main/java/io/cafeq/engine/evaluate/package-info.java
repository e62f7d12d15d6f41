/**
 * How well a model does on text. Start at {@link io.cafeq.engine.evaluate.Evaluation} for perplexity and the comparison with a
 * reference, and at {@link io.cafeq.engine.evaluate.TextTokenizer} for text as tokens.
 */
@NullMarked
package io.cafeq.engine.evaluate;

import org.jspecify.annotations.NullMarked;
