/**
 * How well a model does. Start at {@link io.cafeq.engine.evaluate.TextEvaluation} for perplexity,
 * the KL divergence from a reference and the errors of matrix outputs; at {@link
 * io.cafeq.engine.evaluate.ChoiceEvaluation} for multiple-choice questions; and at {@link
 * io.cafeq.engine.evaluate.EvaluatedModel} for the checkpoint or result that is evaluated.
 */
@NullMarked
package io.cafeq.engine.evaluate;

import org.jspecify.annotations.NullMarked;
