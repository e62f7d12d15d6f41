/**
 * Memory as a job sees it: permits that bound what all lanes take together, and the watcher that
 * measures what the process really takes. Start at {@link io.cafeq.actors.memory.MemoryPermits}.
 */
@NullMarked
package io.cafeq.actors.memory;

import org.jspecify.annotations.NullMarked;
