/**
 * The science and the files of CafeQ Engine, usable without actors. Start at {@code checkpoint} to
 * see what comes in, at {@code plan} for what will be done, at {@code quantize} for how one unit
 * goes through, at {@code block} for what comes out.
 */
@NullMarked
package io.cafeq.engine;

import org.jspecify.annotations.NullMarked;
