package io.cafeq.engine.budget;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/** What would be done to a piece. */
record Choice(Piece piece, GridSpec grid, TransformSpec transform) {}
