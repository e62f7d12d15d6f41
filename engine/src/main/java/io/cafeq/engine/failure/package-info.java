/**
 * What can go wrong, as values that say what to do. Start at {@link
 * io.cafeq.engine.failure.EngineException}: each one has a {@link
 * io.cafeq.engine.failure.FailureKind} from which the exit code follows, and a remedy.
 */
@NullMarked
package io.cafeq.engine.failure;

import org.jspecify.annotations.NullMarked;
