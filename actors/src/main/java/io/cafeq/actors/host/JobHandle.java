package io.cafeq.actors.host;

import io.cafeq.actors.job.Job;
import io.cafeq.actors.job.JobEvent;
import io.cafeq.actors.job.JobResult;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.NotUsed;
import org.apache.pekko.stream.javadsl.Source;

/** A job that was submitted. Thread-safe. */
public final class JobHandle {
  private final Job job;
  private final CompletableFuture<JobResult> result;

  JobHandle(Job job, CompletableFuture<JobResult> result) {
    this.job = job;
    this.result = result;
  }

  /** Unique among the jobs of the host; in every line that the job logs. */
  public String id() {
    return job.id();
  }

  /**
   * How it ended. Failures of a known kind are results; completed exceptionally where this program
   * is at fault.
   */
  public CompletableFuture<JobResult> result() {
    return result.copy();
  }

  /** Asks the job to end, which takes five seconds at most. What is finished stays. */
  public void stop() {
    job.stop();
  }

  /** All events from the first on, at the listener's own pace, for any number of listeners. */
  public Source<JobEvent, NotUsed> events() {
    return job.events();
  }
}
