package io.cafeq.actors.job;

/** What a job is at, in this order. */
public enum Phase {
  /** Reads headers and decides what is to be done. */
  PLANNING,
  /** Looks whether an earlier run's units still count; reads them and their source tensors. */
  CHECKING,
  /** Makes units. */
  QUANTIZING,
  /** Copies side files, writes manifest and report. */
  FINISHING
}
