package io.cafeq.engine.export;

/** The options of a format that has none. */
public record NoOptions() {}
