/**
 * The folder that a job writes: who may write it, what an earlier run left there, what is copied
 * along and whether it fits on the disk. {@code .cafeq/lock} names the process that holds the
 * folder, {@code .cafeq/identity.json} the recipe and the source that its units came from, {@code
 * units/} the finished units. Nothing that this program did not write is ever deleted. Start at
 * {@link io.cafeq.engine.output.OutputFolder}.
 */
@NullMarked
package io.cafeq.engine.output;

import org.jspecify.annotations.NullMarked;
