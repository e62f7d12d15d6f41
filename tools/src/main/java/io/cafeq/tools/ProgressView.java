package io.cafeq.tools;

import io.cafeq.actors.job.JobEvent;
import io.cafeq.actors.job.Phase;
import io.cafeq.config.ProgressStyle;
import java.util.Optional;

/** Shows a person how far a job is. */
sealed interface ProgressView extends AutoCloseable
    permits LiveProgress, PlainProgress, ProgressView.Silent {
  /** Hears of one event; called by one thread at a time. */
  void on(JobEvent event);

  @Override
  void close();

  /** As asked for; where nothing was asked for, live on a terminal and in lines elsewhere. */
  static ProgressView of(Optional<ProgressStyle> style, Console console) {
    ProgressStyle auto =
        console.columns().isPresent() ? ProgressStyle.TERMINAL : ProgressStyle.PLAIN;
    return switch (style.orElse(auto)) {
      case TERMINAL -> new LiveProgress(console);
      case PLAIN -> new PlainProgress(console);
      case OFF -> new Silent();
    };
  }

  /** What a phase is called. */
  static String name(Phase phase) {
    return switch (phase) {
      case PLANNING -> "planning";
      case CHECKING -> "checking what an earlier run left";
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
