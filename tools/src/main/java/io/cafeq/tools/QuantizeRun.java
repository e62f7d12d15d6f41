package io.cafeq.tools;

import io.cafeq.actors.job.JobResult;
import io.cafeq.actors.job.QuantizeJob;
import io.cafeq.config.Settings;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.text.Shell;
import io.cafeq.engine.text.VisibleText;
import java.nio.file.Path;

/**
 * A job as the command line runs it: shown while it runs, told at its end, and turned into an exit
 * code.
 */
final class QuantizeRun {
  private final Console console;
  private final Interruption interruption;
  private final boolean json;

  QuantizeRun(Console console, Interruption interruption, boolean json) {
    this.console = console;
    this.interruption = interruption;
    this.json = json;
  }

  /** Throws what the job was refused for. */
  int run(Path model, Path out, Settings settings) {
    return switch (result(model, out, settings)) {
      case JobResult.Complete(Report report, boolean already) -> {
        tell(report);
        if (already) {
          console.message("cafeq: " + out + " was complete before; nothing had to be done");
        }
        tellNext(model, out);
        yield ExitCode.OK;
      }
      case JobResult.Partial partial -> {
        tell(partial.report());
        boolean hopeless = partial.cause().kind() == FailureKind.CHECKPOINT;
        console.message("cafeq: units are missing in " + out + ": " + partial.cause().message());
        console.message(
            "       "
                + partial.cause().remedy()
                + (hopeless ? "" : " What is finished is kept, and the same command continues."));
        yield hopeless ? ExitCode.CHECKPOINT : ExitCode.UNITS_MISSING;
      }
      case JobResult.Stopped(Report report) -> {
        tell(report);
        console.message("cafeq: stopped; the same command continues");
        yield interruption.exitCode().orElse(ExitCode.UNITS_MISSING);
      }
      case JobResult.Refused refused -> throw refused.failure();
    };
  }

  private JobResult result(Path model, Path out, Settings settings) {
    try (ProgressView view = ProgressView.of(settings.run().progress(), console)) {
      QuantizeJob job = new QuantizeJob(model, out, settings, Version.current(), view);
      interruption.onStop(job::stop);
      return job.run();
    }
  }

  private void tell(Report report) {
    console.result(json ? ReportFile.toJson(report) : ReportText.of(report));
  }

  private void tellNext(Path model, Path out) {
    if (!json) {
      console.result(
          "\nThe result is in "
              + VisibleText.line(out.toString())
              + ". Next:\n"
              + "  cafeq verify "
              + Shell.quoted(out)
              + " --against "
              + Shell.quoted(model)
              + "\n"
              + "  cafeq export "
              + Shell.quoted(out)
              + " --format dense --out "
              + Shell.quoted(Path.of(out + "-dense"))
              + "\n");
    }
  }
}
