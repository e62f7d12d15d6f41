package io.cafeq.engine.compute;

import java.util.stream.Stream;

/** Names of the backends that work on this machine, the reference first. */
final class WorkingBackends {
  private static final String REFERENCE = "scalar";

  private WorkingBackends() {}

  static Stream<String> all() {
    return Stream.concat(Stream.of(REFERENCE), withoutReference());
  }

  /** Those that are held against the reference. */
  static Stream<String> withoutReference() {
    return Backends.providers().stream()
        .filter(provider -> !provider.id().equals(REFERENCE))
        .filter(provider -> provider.probe() instanceof ComputeProvider.Probe.Available)
        .map(ComputeProvider::id);
  }
}
