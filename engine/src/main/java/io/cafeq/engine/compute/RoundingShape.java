package io.cafeq.engine.compute;

/**
 * The size of a slab that is to be rounded and measured.
 *
 * @param group the fewest columns that share a grid
 * @param transformed whether V is another matrix than W
 * @param inMetric whether errors are measured in a metric of the columns
 */
public record RoundingShape(
    int rows, int columns, int group, boolean transformed, boolean inMetric) {}
