package io.cafeq.engine.compute;

import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What computes in this process: a backend rounds, a learner learns. Thread-safe.
 *
 * @param fallback learns on the CPU where the learner fails and allows that
 */
public record Compute(ComputeBackend backend, Learner learner, Learner fallback) {

  /**
   * Opens what {@code id} asks for: with {@code auto} the best backend and the best learner that
   * work here, with the name of a backend that one and the learner of the same name, with the name
   * of a learner alone that one and the best backend.
   *
   * @throws io.cafeq.engine.failure.EngineException with kind USAGE where there is none
   */
  public static Compute open(String id) {
    var backends = Backends.choice();
    var learners = Learners.choice();
    TreeSet<String> names = new TreeSet<>(backends.ids());
    names.addAll(learners.ids());
    List<String> known = List.copyOf(names);
    boolean onlyLearner = backends.called(id).isEmpty() && learners.called(id).isPresent();
    ComputeBackend backend = backends.open(onlyLearner ? ProviderChoice.AUTO : id, known);
    Optional<Learner.Provider> own = learners.called(backend.id());
    Learner fallback = own.isPresent() ? own.get().create() : learners.open("scalar", known);
    boolean named = learners.called(id).isPresent() || id.equals(ProviderChoice.AUTO);
    Learner learner = named ? learners.open(id, known) : fallback;
    return new Compute(backend, learner.id().equals(fallback.id()) ? fallback : learner, fallback);
  }

  /** One line for people: who rounds, who learns, and on which kernel. */
  public String description() {
    return "backend %s, learner %s (%s, kernel %s)"
        .formatted(backend.id(), learner.id(), backend.description(), kernel());
  }

  /** The same with learning on the CPU. */
  public Compute onTheCpu() {
    return new Compute(backend, fallback, fallback);
  }

  /**
   * What decides the bits of results: the backend's kernel, and the learner's where that is
   * another.
   */
  public String kernel() {
    return learner.kernel().equals(backend.kernel())
        ? backend.kernel()
        : backend.kernel() + "+" + learner.kernel();
  }
}
