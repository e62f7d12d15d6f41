package io.cafeq.engine.plan;

import io.cafeq.config.Rounding;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/**
 * What is done to all tensors of a quantized unit.
 *
 * @param fallBack whether plain rounding at equal total bits takes over where its error is smaller
 */
public record Treatment(
    GridSpec grid, TransformSpec transform, Rounding rounding, int steps, long seed, boolean fallBack) {}
