package io.cafeq.tools;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cafeq quantize}. */
@Command(
    name = "quantize",
    description =
        "Quantizes a checkpoint. Run the same command again to resume after an interruption, or to"
            + " confirm a finished result.",
    exitCodeOnExecutionException = ExitCode.UNITS_MISSING)
final class QuantizeCommand implements Callable<Integer>, TakesSettings {
  @Parameters(paramLabel = "MODEL", description = ModelText.DESCRIPTION)
  String model = "";

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Output folder, new or from an earlier run.")
  Path out;

  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final Interruption interruption;
  private final SettingOptions settingOptions;

  QuantizeCommand(Console console, Interruption interruption, SettingOptions settingOptions) {
    this.console = console;
    this.interruption = interruption;
    this.settingOptions = settingOptions;
  }

  @Override
  public Integer call() {
    return new QuantizeRun(console, interruption, common.json)
        .run(model, out, settingOptions.load(spec.commandLine().getParseResult()));
  }
}
