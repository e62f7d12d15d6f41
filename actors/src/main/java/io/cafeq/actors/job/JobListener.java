package io.cafeq.actors.job;

/**
 * Hears how far a job is. Never called by two threads at a time, and never by a thread that
 * computes.
 */
@FunctionalInterface
public interface JobListener {
  /** Hears nothing. */
  JobListener NONE = event -> {};

  /** What it throws is logged and changes nothing for the job. */
  void on(JobEvent event);
}
