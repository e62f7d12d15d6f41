package io.cafeq.tools;

import io.cafeq.actors.job.JobEvent;
import io.cafeq.engine.report.UnitEntry;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** Prints progress in whole lines: each phase, each failure, and the state every ten seconds. */
final class PlainProgress implements ProgressView {
  private static final long INTERVAL = TimeUnit.SECONDS.toNanos(10);

  private final Console console;
  private final JobProgress progress = new JobProgress();
  private long lastLine = System.nanoTime();

  PlainProgress(Console console) {
    this.console = console;
  }

  @Override
  public void on(JobEvent event) {
    progress.note(event);
    switch (event) {
      case JobEvent.PhaseChanged changed -> say(ProgressView.name(changed.phase()));
      case JobEvent.StatisticsAdvanced advanced -> say(JobProgress.statistics(advanced));
      case JobEvent.UnitFailed one -> say(failure(one.entry()));
      case JobEvent.Warned warned -> say("warning: " + warned.warning());
      case JobEvent.Planned planned -> {}
      case JobEvent.UnitKept kept -> sayNowAndThen();
      case JobEvent.UnitStarted started -> {}
      case JobEvent.WeightsAdvanced advanced -> sayNowAndThen();
      case JobEvent.UnitFinished done -> sayNowAndThen();
    }
  }

  private void sayNowAndThen() {
    if (System.nanoTime() - lastLine >= INTERVAL) {
      say(progress.line());
    }
  }

  private void say(String line) {
    lastLine = System.nanoTime();
    console.message("cafeq: " + line);
  }

  /** Describes a failed unit on one line. */
  static String failure(UnitEntry entry) {
    return "unit " + entry.id() + " failed: " + Objects.requireNonNull(entry.error()).message();
  }

  @Override
  public void close() {}
}
