/**
 * The files behind a forward pass. Start at {@link io.cafeq.engine.weights.CheckpointWeights} for
 * the weights of a checkpoint and at {@link io.cafeq.engine.weights.ResultWeights} for those of a
 * finished result. {@link io.cafeq.engine.weights.SpilledStates} keeps states in a scratch file;
 * {@link io.cafeq.engine.weights.ModelWarnings} tells where a model's files do not agree.
 */
@NullMarked
package io.cafeq.engine.weights;

import org.jspecify.annotations.NullMarked;
