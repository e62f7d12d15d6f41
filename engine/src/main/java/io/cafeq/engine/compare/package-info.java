/**
 * Compares checkpoints and results tensor by tensor. Start with {@link
 * io.cafeq.engine.compare.Differences}.
 */
@NullMarked
package io.cafeq.engine.compare;

import org.jspecify.annotations.NullMarked;
