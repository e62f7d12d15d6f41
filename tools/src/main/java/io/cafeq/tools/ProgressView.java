package io.cafeq.tools;

import io.cafeq.actors.job.JobEvent;
import io.cafeq.actors.job.Phase;
import io.cafeq.config.ProgressStyle;
import java.util.Optional;

/** Shows the progress of a job. */
sealed interface ProgressView extends AutoCloseable
    permits LiveProgress, PlainProgress, ProgressView.Silent {
  /** Receives one event. Called by one thread at a time. */
  void on(JobEvent event);

  @Override
  void close();

  /**
   * Returns the view that was asked for; by default a live line on a terminal, whole lines
   * elsewhere.
   */
  static ProgressView of(Optional<ProgressStyle> style, Console console) {
    ProgressStyle auto =
        console.columns().isPresent() ? ProgressStyle.TERMINAL : ProgressStyle.PLAIN;
    return switch (style.orElse(auto)) {
      case TERMINAL -> new LiveProgress(console);
      case PLAIN -> new PlainProgress(console);
      case OFF -> new Silent();
    };
  }

  /** Returns the name of a phase. */
  static String name(Phase phase) {
    return switch (phase) {
      case PLANNING -> "planning";
      case CHECKING -> "checking for finished units";
      case MEASURING -> "taking statistics";
      case QUANTIZING -> "quantizing";
      case FINISHING -> "finishing";
    };
  }

  /** Shows nothing. */
  record Silent() implements ProgressView {
    @Override
    public void on(JobEvent event) {}

    @Override
    public void close() {}
  }
}
