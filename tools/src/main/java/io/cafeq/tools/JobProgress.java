package io.cafeq.tools;

import io.cafeq.actors.job.JobEvent;
import io.cafeq.engine.report.UnitEntry;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** The progress of a job, gathered from its events. Used by one thread at a time. */
final class JobProgress {
  private final long started = System.nanoTime();
  private int units;
  private int finished;
  private int failed;
  private long doneWeights;
  private long allWeights;
  private long workStarted = started;
  private double worstError;

  /** Adds {@code event}. */
  void note(JobEvent event) {
    switch (event) {
      case JobEvent.PhaseChanged changed -> workStarted = System.nanoTime();
      case JobEvent.Planned planned -> units = planned.plan().units().size();
      case JobEvent.UnitKept kept -> finish(kept.entry());
      case JobEvent.UnitStarted started -> {}
      case JobEvent.WeightsAdvanced(long done, long all) -> {
        doneWeights = done;
        allWeights = all;
      }
      case JobEvent.UnitFinished done -> finish(done.entry());
      case JobEvent.UnitFailed one -> failed++;
      case JobEvent.StatisticsAdvanced advanced -> {}
      case JobEvent.Warned warned -> {}
    }
  }

  private void finish(UnitEntry entry) {
    finished++;
    Double error = entry.relativeError();
    if (error != null) {
      worstError = Math.max(worstError, error);
    }
  }

  /** {@code statistics: layer 3 of 30}. */
  static String statistics(JobEvent.StatisticsAdvanced advanced) {
    return "statistics: layer " + advanced.layers() + " of " + advanced.all();
  }

  long doneWeights() {
    return doneWeights;
  }

  /** 0 while no work has been counted. */
  long allWeights() {
    return allWeights;
  }

  /** {@code 12/90 units, worst error 0.0912}. */
  String counts() {
    String counts = finished + "/" + units + " units";
    return counts
        + (failed == 0 ? "" : ", " + failed + " failed")
        + (worstError == 0 ? "" : ", worst error " + Amounts.error(worstError));
  }

  /** Returns the whole progress on one line. */
  String line() {
    if (allWeights == 0) {
      return counts();
    }
    String share =
        String.format(
            Locale.ROOT,
            "%.0f %% of %s weights, ",
            100.0 * doneWeights / allWeights,
            Amounts.count(allWeights));
    return share + counts() + remaining();
  }

  private String remaining() {
    if (doneWeights == 0 || doneWeights >= allWeights) {
      return "";
    }
    double seconds = seconds(workStarted) / doneWeights * (allWeights - doneWeights);
    return ", about " + Amounts.time(seconds) + " left";
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / (double) TimeUnit.SECONDS.toNanos(1);
  }
}
