package io.cafeq.actors.job;

import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.node.Node;
import io.cafeq.engine.budget.MeasuringLanes;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;

/**
 * A job as one that asks its node for memory and lanes. Thread-safe.
 *
 * @param job its id
 * @param node borrowed
 */
record Claimant(String job, int priority, Node node, StopFlag stop) {
  /**
   * Claims memory for work on the calling thread; blocks until it is free.
   *
   * @throws io.cafeq.engine.failure.EngineException with kind USAGE where there is not so much at
   *     all, STOPPED
   */
  Node.HeldMemory claim(String purpose, long least, long most) {
    stop.check();
    return node.claim(job, purpose, priority, least, most, stop);
  }

  /** The most that can be claimed. */
  long pool() {
    return node.budget().pool();
  }

  Compute compute() {
    return node.compute().get();
  }

  MeasuringLanes measuring() {
    return node.measuring(job, priority);
  }

  /** Whoever waits for memory or a lane waits no more, and what runs stops. */
  void cancel() {
    node.lanes().tell(new LaneHost.Cancel(job));
  }
}
