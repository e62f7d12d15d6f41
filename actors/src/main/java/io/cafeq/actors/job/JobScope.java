package io.cafeq.actors.job;

import io.cafeq.actors.node.Node;
import io.cafeq.engine.output.OutputFolder;

/**
 * What the steps of a running job share.
 *
 * @param definition what is to be done
 * @param engine numerics and formats
 * @param folder locked by this job
 * @param node borrowed
 * @param stop the wish to end early
 */
record JobScope(
    JobDefinition definition,
    JobEngine engine,
    OutputFolder folder,
    Node node,
    JobStop stop,
    EventLog events,
    JobStatistics statistics,
    ResultLedger ledger,
    ReportMaker reports) {
  /** Tells the user and the report. */
  void warn(String warning) {
    reports.warn(warning);
    events.emit(new JobEvent.Warned(warning));
  }
}
