/**
 * Uniform grids: how codes, scales and zero points are defined, packed and stored. Start at {@link
 * io.cafeq.engine.grid.GridSpec}; an {@link io.cafeq.engine.grid.EncodedSlab} is some rows of a matrix in that form.
 */
@NullMarked
package io.cafeq.engine.grid;

import org.jspecify.annotations.NullMarked;
