/**
 * The forward pass of a decoder, one layer's weights at a time: embedding, attention, feed-forward
 * and experts, output head. Start at {@link io.cafeq.engine.forward.ForwardPass} for passes over
 * windows of tokens and what goes into each matrix, at {@link io.cafeq.engine.forward.SelfText} for
 * text that a model writes, and at {@link io.cafeq.engine.forward.ForwardModels} for which models
 * can be run. Weights come through {@link io.cafeq.engine.forward.ModelWeights}, whatever file they
 * are in.
 */
@NullMarked
package io.cafeq.engine.forward;

import org.jspecify.annotations.NullMarked;
