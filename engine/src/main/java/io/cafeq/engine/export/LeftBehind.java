package io.cafeq.engine.export;

/**
 * Something of a result that an export does not hold.
 *
 * @param what a file, fields of a file, or tensors of one kind
 * @param reason for people
 */
public record LeftBehind(String what, String reason) {}
