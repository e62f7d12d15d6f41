/**
 * The native output: one Arrow file a unit, the manifest, and the reader that gives back effective weights. Start
 * at {@link io.cafeq.engine.block.ResultReader}.
 */
@NullMarked
package io.cafeq.engine.block;

import org.jspecify.annotations.NullMarked;
