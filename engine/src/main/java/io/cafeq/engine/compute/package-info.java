/**
 * Where the arithmetic runs. A {@link io.cafeq.engine.compute.ComputeBackend} is found by
 * ServiceLoader through {@link io.cafeq.engine.compute.Backends}, which also says why one does not
 * work here and what mends it. Each worker opens a {@link io.cafeq.engine.compute.ComputeLane} of
 * its own, one thread with its own scratch memory. Start at ComputeLane.
 */
@NullMarked
package io.cafeq.engine.compute;

import org.jspecify.annotations.NullMarked;
