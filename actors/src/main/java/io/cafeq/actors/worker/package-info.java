/**
 * Workers, one for each lane of a backend, and the pool that feeds and replaces them. What a worker
 * does with a unit is a {@link io.cafeq.actors.worker.UnitWork}, so no actor knows numerics. Start
 * at {@link io.cafeq.actors.worker.WorkerPool}.
 */
@NullMarked
package io.cafeq.actors.worker;

import org.jspecify.annotations.NullMarked;
