package io.cafeq.engine.budget;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/**
 * A candidate treatment of a piece, or of a factor of a pair, whose folded transform is not named
 * here.
 */
record Choice(GridSpec grid, TransformSpec transform) {}
