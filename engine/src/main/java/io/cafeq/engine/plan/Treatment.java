package io.cafeq.engine.plan;

import io.cafeq.config.Loss;
import io.cafeq.config.Rounding;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/**
 * What is done to all tensors of a quantized unit.
 *
 * @param loss what a learned transform is learned by
 * @param fallBack whether the best plain rounding that takes no more bits in all takes over where its error is smaller;
 *     that can be another storage of the scales also where no transform fits
 */
public record Treatment(
    GridSpec grid, TransformSpec transform, Loss loss, Rounding rounding, int steps, long seed, boolean fallBack) {}
