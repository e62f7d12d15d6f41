package io.cafeq.tools.reproduce;

/**
 * One figure of a table.
 *
 * @param name the column or row of the paper's table
 * @param paper what the paper prints
 * @param measured what this program got
 */
public record Reproduced(String name, double paper, double measured) {}
