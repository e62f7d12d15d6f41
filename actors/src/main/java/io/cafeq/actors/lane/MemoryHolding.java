package io.cafeq.actors.lane;

/**
 * A claim that was granted.
 *
 * @param job whose it is
 * @param purpose a unit's id, or a word for other work
 * @param standing whether it ends late, unless somebody asks for room
 */
public record MemoryHolding(long id, String job, String purpose, long bytes, boolean standing) {}
