package io.cafeq.engine.receipt;

/**
 * Identity of a job, written into every unit's file: equal identities give the same bytes.
 *
 * @param recipeHash SHA-256 of the recipe's canonical form
 * @param algorithmVersion raised whenever the same recipe would give other bytes
 */
public record JobIdentity(String recipeHash, int algorithmVersion) {
  /**
   * The version of what this program writes for a recipe. 4: the canonical recipe, whose hash every
   * file carries, has sections; codes, grids and transforms are those of 3.
   */
  public static final int ALGORITHM_VERSION = 5;
}
