package io.cafeq.tools.reproduce;

import org.jspecify.annotations.Nullable;

/**
 * One figure of a table.
 *
 * @param name the column or row of the paper's table
 * @param paper what the paper prints; null where the paper has no such figure
 * @param measured the figure of this program
 */
public record Reproduced(String name, @Nullable Double paper, double measured) {}
