/**
 * The reference backend: plain loops over doubles that follow the equations one to one, the same
 * bytes on every machine. Slow. Start at {@link io.cafeq.engine.compute.scalar.ScalarObjective}.
 */
@NullMarked
package io.cafeq.engine.compute.scalar;

import org.jspecify.annotations.NullMarked;
