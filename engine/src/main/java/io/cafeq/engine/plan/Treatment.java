package io.cafeq.engine.plan;

import io.cafeq.config.Loss;
import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.config.Rounding;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;

/**
 * How the tensors of a stack are quantized.
 *
 * @param columnScales whether input channels are scaled before they are transformed and rounded,
 *     which is so only where their statistics are known
 * @param loss of a learned transform
 * @param fallBack whether the best round-to-nearest (RTN) at no more bits in all replaces the
 *     transform where its error is smaller; that can be another storage of scales even where no
 *     transform fits
 */
public record Treatment(
    GridSpec grid,
    TransformSpec transform,
    boolean columnScales,
    Loss loss,
    Rounding rounding,
    int steps,
    long seed,
    boolean fallBack) {

  /** Combines a grid and a transform with the recipe. */
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
        settings.isScaled(),
        recipe.transform().loss(),
        recipe.rounding(),
        recipe.transform().steps(),
        recipe.seed(),
        fallBack);
  }

  /** The same without column scales. */
  public Treatment withoutColumnScales() {
    return new Treatment(grid, transform, false, loss, rounding, steps, seed, fallBack);
  }
}
