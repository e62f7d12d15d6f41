/**
 * The actor system that everything in a process runs on. Start at {@link
 * io.cafeq.actors.runtime.ActorRuntime}.
 */
@NullMarked
package io.cafeq.actors.runtime;

import org.jspecify.annotations.NullMarked;
