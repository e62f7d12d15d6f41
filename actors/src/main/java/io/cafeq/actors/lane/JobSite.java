package io.cafeq.actors.lane;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.UnitMemory;

/**
 * A job as one node has it open: its checkpoint, its units and its numerics. Thread-safe; closed
 * after the last unit.
 */
public interface JobSite extends AutoCloseable {
  /** What the unit takes at most. Throws an {@link IllegalArgumentException} for unknown ids. */
  UnitMemory memoryNeeded(String unit);

  /** Opens work for one lane; called on the lane's thread. It polls {@code stop}. */
  UnitWork openLane(StopFlag stop);

  /** Bytes of the checkpoint that were read so far. */
  long bytesRead();

  @Override
  void close();

  /** Opens sites. Thread-safe; blocks while it reads headers. */
  @FunctionalInterface
  interface Opener {
    /** Throws an {@link io.cafeq.engine.failure.EngineException} where the job cannot run here. */
    JobSite open(JobTicket ticket, StopFlag stop);
  }
}
