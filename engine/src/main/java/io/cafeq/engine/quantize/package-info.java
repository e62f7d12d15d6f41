/**
 * One unit from source bytes to a finished Arrow file: read, learn, round, encode, prove, rename.
 * Start at {@link io.cafeq.engine.quantize.UnitQuantizer}.
 */
@NullMarked
package io.cafeq.engine.quantize;

import org.jspecify.annotations.NullMarked;
