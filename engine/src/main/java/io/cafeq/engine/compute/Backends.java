package io.cafeq.engine.compute;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** The backends on the class path, best first. */
public final class Backends {
  private Backends() {}

  /** All providers by falling priority. */
  public static List<ComputeBackend.Provider> providers() {
    return ServiceLoader.load(ComputeBackend.Provider.class).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparingInt(ComputeBackend.Provider::priority).reversed())
        .toList();
  }

  /** The backend called {@code id}, or with {@code auto} the best one that works here. */
  public static ComputeBackend open(String id) {
    List<ComputeBackend.Provider> providers = providers();
    StringBuilder reasons = new StringBuilder();
    for (ComputeBackend.Provider provider : providers) {
      if (!id.equals("auto") && !id.equals(provider.id())) {
        continue;
      }
      switch (provider.probe()) {
        case ComputeBackend.Probe.Available available -> {
          return provider.create();
        }
        case ComputeBackend.Probe.Unavailable(String reason, String remedy) ->
            reasons
                .append(' ')
                .append(provider.id())
                .append(": ")
                .append(reason)
                .append(". ")
                .append(remedy);
      }
    }
    String known =
        providers.stream().map(ComputeBackend.Provider::id).collect(Collectors.joining(", "));
    throw new EngineException(
        FailureKind.USAGE,
        reasons.isEmpty()
            ? "no backend is called \"" + id + "\""
            : "backend " + id + " does not work here." + reasons,
        "Choose one of: auto, " + known + ". \"cafeq doctor\" says which work here.");
  }
}
