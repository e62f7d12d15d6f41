package io.cafeq.engine.compute;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** The providers of one kind on the class path, best first. */
record ProviderChoice<T, P extends ComputeProvider<T>>(List<P> providers) {
  static final String AUTO = "auto";

  static <T, P extends ComputeProvider<T>> ProviderChoice<T, P> load(Class<P> kind) {
    return new ProviderChoice<>(
        ServiceLoader.load(kind).stream()
            .map(ServiceLoader.Provider::get)
            .sorted(Comparator.<P>comparingInt(ComputeProvider::priority).reversed())
            .toList());
  }

  Optional<P> called(String id) {
    return providers.stream().filter(provider -> provider.id().equals(id)).findFirst();
  }

  /**
   * Creates what is called {@code id}, or with {@code auto} the best that works here.
   *
   * @param known all names that the user may give
   * @throws EngineException with kind USAGE where nothing is called so or works here
   */
  T open(String id, List<String> known) {
    StringBuilder reasons = new StringBuilder();
    for (P provider : providers) {
      if (!id.equals(AUTO) && !id.equals(provider.id())) {
        continue;
      }
      switch (provider.probe()) {
        case ComputeProvider.Probe.Available available -> {
          return provider.create();
        }
        case ComputeProvider.Probe.Unavailable(String reason, String remedy) ->
            reasons
                .append(' ')
                .append(provider.id())
                .append(": ")
                .append(reason)
                .append(". ")
                .append(remedy);
      }
    }
    throw new EngineException(
        FailureKind.USAGE,
        reasons.isEmpty()
            ? "no backend is called \"" + id + "\""
            : "backend " + id + " does not work here." + reasons,
        "Choose one of: auto, "
            + known.stream().collect(Collectors.joining(", "))
            + ". \"cafeq doctor\" says which work here.");
  }

  List<String> ids() {
    return providers.stream().map(ComputeProvider::id).toList();
  }
}
