package io.cafeq.tools;

import io.cafeq.actors.job.JobEvent;
import io.cafeq.actors.job.Phase;
import java.time.Duration;
import java.util.function.Consumer;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Redraws one line of a terminal. */
final class LiveProgress implements ProgressView {
  private static final int USUAL_COLUMNS = 80;
  private static final int REDRAW_MILLIS = 200;
  private static final long MILLION = 1_000_000;

  private final Console console;
  private final JobProgress progress = new JobProgress();
  private @Nullable ProgressBar bar;

  LiveProgress(Console console) {
    this.console = console;
  }

  @Override
  public void on(JobEvent event) {
    progress.note(event);
    switch (event) {
      case JobEvent.PhaseChanged changed -> begin(changed.phase());
      case JobEvent.UnitFailed one ->
          console.message("cafeq: " + PlainProgress.failure(one.entry()));
      case JobEvent.Warned warned -> console.message("cafeq: warning: " + warned.warning());
      case JobEvent.StatisticsAdvanced advanced -> {
        if (bar == null) {
          console.live(JobProgress.statistics(advanced));
        }
      }
      case JobEvent.WeightsAdvanced advanced -> draw();
      case JobEvent.UnitFinished done -> draw();
      case JobEvent.UnitKept kept ->
          console.live(ProgressView.name(Phase.CHECKING) + ": " + progress.counts());
      case JobEvent.Planned planned -> {}
      case JobEvent.UnitStarted started -> {}
    }
  }

  private void begin(Phase phase) {
    close();
    if (phase != Phase.QUANTIZING) {
      console.live(ProgressView.name(phase));
      return;
    }
    // The library can ask a terminal itself, but only by starting another one: the launcher has
    // said all that is needed.
    Consumer<String> line = console::live;
    bar =
        new ProgressBarBuilder()
            .setTaskName(ProgressView.name(phase))
            .setInitialMax(1)
            .setUnit("M", MILLION)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(REDRAW_MILLIS)
            .setConsumer(
                new DelegatingProgressBarConsumer(
                    line, console.columns().orElse(USUAL_COLUMNS) - 1))
            .startsFrom(0, Duration.ZERO)
            .build();
  }

  private void draw() {
    ProgressBar current = bar;
    if (current != null && progress.allWeights() > 0) {
      current.maxHint(progress.allWeights());
      current.stepTo(progress.doneWeights());
      current.setExtraMessage(" " + progress.counts());
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
      console.live("");
    }
  }
}
