package io.cafeq.engine.report;

import org.jspecify.annotations.Nullable;

/**
 * The machine and the backend of a run.
 *
 * @param backend null where nothing had to be computed, like {@code kernel}
 * @param maxMemoryBytes the cap that was asked for
 * @param memoryMeasure how the peak was measured
 * @param memoryCapExceeded whether any sample was above the cap
 */
public record Machine(
    String host,
    String operatingSystem,
    String architecture,
    int processors,
    String java,
    @Nullable String backend,
    @Nullable String kernel,
    int lanes,
    long maxMemoryBytes,
    String memoryMeasure,
    boolean memoryCapExceeded) {}
