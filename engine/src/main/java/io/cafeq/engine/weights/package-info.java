/**
 * The weights of a model as a forward pass reads them, from its files: start at {@link
 * io.cafeq.engine.weights.CheckpointWeights} for a checkpoint and at {@link
 * io.cafeq.engine.weights.ResultWeights} for a finished result. {@link
 * io.cafeq.engine.weights.ModelWarnings} tells where a model's files do not agree.
 */
@NullMarked
package io.cafeq.engine.weights;

import org.jspecify.annotations.NullMarked;
