package io.cafeq.engine.plan;

import io.cafeq.config.Loss;
import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.config.Rounding;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/**
 * What is done to all tensors of a quantized unit.
 *
 * @param loss what a learned transform is learned by
 * @param fallBack whether the best plain rounding that takes no more bits in all takes over where
 *     its error is smaller; that can be another storage of the scales also where no transform fits
 */
public record Treatment(
    GridSpec grid,
    TransformSpec transform,
    Loss loss,
    Rounding rounding,
    int steps,
    long seed,
    boolean fallBack) {

  /** A grid and a transform with all that the recipe says besides. */
  public static Treatment of(
      Recipe recipe, TensorSettings settings, GridSpec grid, TransformSpec transform) {
    // Nearest rounding would win by how it rounds, which is what a stochastic recipe is there to
    // compare.
    boolean fallBack =
        recipe.fallBack()
            && settings.method() == Method.CAFEQ
            && recipe.rounding() != Rounding.STOCHASTIC;
    return new Treatment(
        grid,
        transform,
        recipe.transform().loss(),
        recipe.rounding(),
        recipe.transform().steps(),
        recipe.seed(),
        fallBack);
  }
}
