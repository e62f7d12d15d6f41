/** Containers of numbers outside the heap. Start at {@link io.cafeq.engine.memory.FloatMatrix}. */
@NullMarked
package io.cafeq.engine.memory;

import org.jspecify.annotations.NullMarked;
