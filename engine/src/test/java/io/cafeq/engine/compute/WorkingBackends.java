package io.cafeq.engine.compute;

import java.util.stream.Stream;

/** Names of the backends that work on this machine. */
final class WorkingBackends {
  private WorkingBackends() {}

  static Stream<String> all() {
    return Backends.providers().stream()
        .filter(provider -> provider.probe() instanceof ComputeProvider.Probe.Available)
        .map(ComputeProvider::id);
  }

  /** Those that are held against the reference. */
  static Stream<String> withoutReference() {
    return all().filter(id -> !id.equals("scalar"));
  }
}
