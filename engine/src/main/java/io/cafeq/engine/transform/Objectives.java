package io.cafeq.engine.transform;

/** Evaluates losses on the CPU; what a learner that runs there is made of. Thread-safe. */
public interface Objectives {
  /** The loss of a problem, ready to be evaluated on one thread; the caller closes it. */
  Objective of(LearnProblem problem);

  /** The loss of a pair, ready to be evaluated on one thread; the caller closes it. */
  PairObjective of(PairProblem problem);
}
