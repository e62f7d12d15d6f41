/**
 * Uniform grids, Eq. (1): how a group's scale and zero point are chosen and stored, and how codes
 * are packed. Start at {@link io.cafeq.engine.grid.GridSpec}; {@link io.cafeq.engine.grid.GridTile}
 * chooses grids and codes for some rows at a time, {@link io.cafeq.engine.grid.EncodedSlab} is what
 * comes out.
 */
@NullMarked
package io.cafeq.engine.grid;

import org.jspecify.annotations.NullMarked;
