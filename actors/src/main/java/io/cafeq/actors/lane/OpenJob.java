package io.cafeq.actors.lane;

import io.cafeq.engine.failure.StopFlag;
import org.jspecify.annotations.Nullable;

/** A job that a node has open, or is opening. Confined to its actor. */
final class OpenJob {
  private final JobTicket ticket;
  private final StopFlag stop = new StopFlag();
  private @Nullable JobSite site;
  private LaneHost.@Nullable Release release;
  private boolean withdrawn;

  OpenJob(JobTicket ticket) {
    this.ticket = ticket;
  }

  JobTicket ticket() {
    return ticket;
  }

  /** Shared with the lanes that work for it. */
  StopFlag stop() {
    return stop;
  }

  void opened(JobSite opened) {
    site = opened;
  }

  /** Null until it is open. */
  @Nullable JobSite site() {
    return site;
  }

  /** No further unit begins. */
  void withdraw() {
    withdrawn = true;
  }

  boolean isWithdrawn() {
    return withdrawn;
  }

  /** It is to be closed when nothing of it runs. */
  void releasing(LaneHost.Release asked) {
    release = asked;
  }

  LaneHost.@Nullable Release release() {
    return release;
  }

  /** Closes the checkpoint; bytes of it that were read here. */
  long close() {
    JobSite open = site;
    if (open == null) {
      return 0;
    }
    long read = open.bytesRead();
    open.close();
    return read;
  }
}
