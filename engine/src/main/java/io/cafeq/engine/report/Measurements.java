package io.cafeq.engine.report;

/**
 * What was measured on the run itself rather than on its units.
 *
 * @param seconds wall time of the run
 * @param bytesRead bytes of tensors read from the source; what is read twice counts twice
 * @param bytesWritten bytes of files written by this run
 * @param peakMemoryBytes highest sample of the process's own memory
 */
public record Measurements(
    double seconds, long bytesRead, long bytesWritten, long peakMemoryBytes) {}
