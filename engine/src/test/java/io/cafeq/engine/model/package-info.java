/**
 * The judge of what the engine does to models: small checkpoints of every family with seeded
 * weights, and forward passes in double that were written from the published definitions of the
 * models and know nothing of the engine. Start with {@link io.cafeq.engine.model.Miniature} and
 * {@link io.cafeq.engine.model.ForwardPass}.
 */
@NullMarked
package io.cafeq.engine.model;

import org.jspecify.annotations.NullMarked;
