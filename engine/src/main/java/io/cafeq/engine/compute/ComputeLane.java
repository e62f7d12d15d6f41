package io.cafeq.engine.compute;

import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;

/** One thread's share of a backend, with scratch memory that is reused from call to call. Not thread-safe. */
public interface ComputeLane extends AutoCloseable {
  /** The loss of a problem, ready to be evaluated; the caller closes it before it opens the next one. */
  Objective objective(LearnProblem problem);

  /** The rounding kernels; owned by the lane. */
  SlabEncoder encoder();

  @Override
  void close();
}
