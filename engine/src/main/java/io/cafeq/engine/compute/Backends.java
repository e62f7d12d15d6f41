package io.cafeq.engine.compute;

import java.util.List;

/** The backends on the class path, best first. */
public final class Backends {
  private Backends() {}

  /** All providers by falling priority. */
  public static List<ComputeBackend.Provider> providers() {
    return choice().providers();
  }

  /**
   * The backend called {@code id}, or with {@code auto} the best one that works here.
   *
   * @throws io.cafeq.engine.failure.EngineException with kind USAGE where there is none
   */
  public static ComputeBackend open(String id) {
    return choice().open(id, choice().ids());
  }

  static ProviderChoice<ComputeBackend, ComputeBackend.Provider> choice() {
    return ProviderChoice.load(ComputeBackend.Provider.class);
  }
}
