/**
 * Uniform grids, Eq. (1): scales and zero points per group, how they are chosen (MSE clipping
 * search) and stored, and packed codes. Start at {@link io.cafeq.engine.grid.GridSpec}; {@link
 * io.cafeq.engine.grid.GridTile} chooses grids and codes for some rows at a time, {@link
 * io.cafeq.engine.grid.EncodedSlab} is what comes out.
 */
@NullMarked
package io.cafeq.engine.grid;

import org.jspecify.annotations.NullMarked;
