package io.cafeq.tools;

import io.cafeq.actors.host.EngineHost;
import io.cafeq.actors.host.HostSettings;
import io.cafeq.actors.host.JobHandle;
import io.cafeq.actors.job.JobRequest;
import io.cafeq.actors.job.JobResult;
import io.cafeq.config.Settings;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.text.Shell;
import io.cafeq.engine.text.VisibleText;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.Done;

/**
 * A job as the command line runs it: shown while it runs, told at its end, and turned into an exit
 * code.
 */
final class QuantizeRun {
  private static final Duration PATIENCE = Duration.ofMillis(500);

  private final Console console;
  private final Interruption interruption;
  private final boolean json;

  QuantizeRun(Console console, Interruption interruption, boolean json) {
    this.console = console;
    this.interruption = interruption;
    this.json = json;
  }

  /** Throws what the job was refused for. */
  int run(String model, Path out, Settings settings) {
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

  private JobResult result(String model, Path out, Settings settings) {
    try (ProgressView view = ProgressView.of(settings.run().progress(), console);
        EngineHost host = EngineHost.start(HostSettings.of(settings.run()), Version.current())) {
      JobHandle job = host.submit(new JobRequest(model, out, settings));
      CompletionStage<Done> heard = host.listen(job, view::on);
      interruption.onStop(job::stop);
      JobResult result = await(job);
      // the result does not wait for a terminal that takes no more text
      heard
          .toCompletableFuture()
          .completeOnTimeout(Done.getInstance(), PATIENCE.toMillis(), TimeUnit.MILLISECONDS)
          .join();
      return result;
    }
  }

  private static JobResult await(JobHandle job) {
    try {
      return job.result().join();
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case RuntimeException fault -> throw fault;
        case Error fault -> throw fault;
        case null, default -> throw e;
      }
    }
  }

  private void tell(Report report) {
    console.result(json ? ReportFile.toJson(report) : ReportText.of(report));
  }

  private void tellNext(String model, Path out) {
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
