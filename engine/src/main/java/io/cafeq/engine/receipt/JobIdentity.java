package io.cafeq.engine.receipt;

/**
 * What makes two runs the same job, written into every unit's file.
 *
 * @param recipeHash SHA-256 of the recipe's canonical form
 * @param algorithmVersion raised whenever the same recipe would give other bytes
 */
public record JobIdentity(String recipeHash, int algorithmVersion) {
  /** The version of the numerics in this program. */
  public static final int ALGORITHM_VERSION = 3;
}
