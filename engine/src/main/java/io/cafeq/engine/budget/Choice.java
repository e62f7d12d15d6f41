package io.cafeq.engine.budget;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/**
 * What would be done to a piece, or to a factor of a pair, whose transform costs nothing and is not
 * named here.
 */
record Choice(GridSpec grid, TransformSpec transform) {}
