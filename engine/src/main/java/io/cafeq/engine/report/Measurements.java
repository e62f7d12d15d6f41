package io.cafeq.engine.report;

/**
 * Measurements of the run itself.
 *
 * @param seconds wall time of the run
 * @param bytesRead bytes of tensors read from the source; a second read counts again
 * @param bytesWritten bytes of files written by this run
 * @param peakMemoryBytes highest sample of the process's own memory
 */
public record Measurements(
    double seconds, long bytesRead, long bytesWritten, long peakMemoryBytes) {}
