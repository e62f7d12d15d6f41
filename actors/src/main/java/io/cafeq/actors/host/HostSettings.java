package io.cafeq.actors.host;

import io.cafeq.config.RunSettings;

/**
 * What a process may take.
 *
 * @param maxMemory cap on the process's memory in bytes
 * @param lanes units that are worked on at the same time, at least 1
 * @param backend name of a compute backend, or {@code auto}
 */
public record HostSettings(long maxMemory, int lanes, String backend) {
  /** The host of a command: it has one job, whose settings are the host's. */
  public static HostSettings of(RunSettings run) {
    return new HostSettings(
        run.resolvedMaxMemory(), run.resolvedLanes(), run.backend().orElse("auto"));
  }
}
