package io.cafeq.tools;

import io.cafeq.actors.host.EngineHost;
import io.cafeq.actors.host.HostSettings;
import io.cafeq.actors.job.JobForecast;
import io.cafeq.actors.job.JobRequest;
import io.cafeq.config.Settings;
import io.cafeq.engine.checkpoint.Checkpoint;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cafeq plan}. */
@Command(
    name = "plan",
    description =
        "Says what quantize would do with the same options, and what it takes; writes nothing."
            + " Reads headers, and with --target-bpw samples of the weights.",
    exitCodeOnExecutionException = ExitCode.UNITS_MISSING)
final class PlanCommand implements Callable<Integer>, TakesSettings {
  @Parameters(paramLabel = "MODEL", description = ModelText.DESCRIPTION)
  String model = "";

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Where the result would go. Default: the current folder")
  Path out = Path.of("");

  @Option(names = "--all", description = "Show every unit by itself.")
  boolean all;

  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final SettingOptions settingOptions;

  PlanCommand(Console console, SettingOptions settingOptions) {
    this.console = console;
    this.settingOptions = settingOptions;
  }

  @Override
  public Integer call() {
    Settings settings = settingOptions.load(spec.commandLine().getParseResult());
    try (Checkpoint checkpoint = Checkpoint.open(model, settings.remote())) {
      PlanSummary summary = summary(checkpoint, settings);
      if (common.json) {
        console.json(summary);
      } else {
        console.result(new PlanText(summary).render(all));
      }
      if (summary.error() == null) {
        return ExitCode.OK;
      }
      console.failure(summary.error());
      return summary.error().code();
    }
  }

  private PlanSummary summary(Checkpoint checkpoint, Settings settings) {
    try (EngineHost host = EngineHost.start(HostSettings.of(settings.run()), Version.current())) {
      JobForecast forecast = host.forecast(checkpoint, new JobRequest(model, out, settings));
      return PlanSummary.of(checkpoint, forecast, host.settings());
    }
  }
}
