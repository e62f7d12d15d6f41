/**
 * Failures as values, each with a remedy for the user. Start at {@link
 * io.cafeq.engine.failure.EngineException}: its {@link io.cafeq.engine.failure.FailureKind} decides
 * the exit code.
 */
@NullMarked
package io.cafeq.engine.failure;

import org.jspecify.annotations.NullMarked;
