package io.cafeq.engine.compute;

import java.util.List;

/** The learners on the class path, best first. */
public final class Learners {
  private Learners() {}

  /** All providers by falling priority. */
  public static List<Learner.Provider> providers() {
    return choice().providers();
  }

  /**
   * The learner called {@code id}, or with {@code auto} the best one that works here.
   *
   * @throws io.cafeq.engine.failure.EngineException with kind USAGE where there is none
   */
  public static Learner open(String id) {
    return choice().open(id, choice().ids());
  }

  static ProviderChoice<Learner, Learner.Provider> choice() {
    return ProviderChoice.load(Learner.Provider.class);
  }
}
