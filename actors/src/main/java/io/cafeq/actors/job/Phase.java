package io.cafeq.actors.job;

/** What a job is at, in this order; what has a target measures before it checks. */
public enum Phase {
  /** Reads headers and decides what is to be done. */
  PLANNING,
  /** Looks whether an earlier run's units still count; reads them and their source tensors. */
  CHECKING,
  /** Takes statistics of the inputs of all layers, before any unit is made or planned with them. */
  MEASURING,
  /** Makes units. */
  QUANTIZING,
  /** Copies side files, writes manifest and report. */
  FINISHING
}
