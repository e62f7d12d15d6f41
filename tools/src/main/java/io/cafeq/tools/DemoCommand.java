package io.cafeq.tools;

import io.cafeq.config.Settings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code cafeq demo}. */
@Command(
    name = "demo",
    description = "Writes a small Llama-shaped checkpoint of random weights with outliers, and quantizes it.",
    exitCodeOnExecutionException = ExitCode.UNITS_MISSING)
final class DemoCommand implements Callable<Integer>, TakesSettings {
  private static final long SEED = 1;

  @Option(names = "--out", paramLabel = "DIR", description = "Where model and result go. Default: a new temporary folder")
  @Nullable Path out;

  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final Interruption interruption;
  private final SettingOptions settingOptions;

  DemoCommand(Console console, Interruption interruption, SettingOptions settingOptions) {
    this.console = console;
    this.interruption = interruption;
    this.settingOptions = settingOptions;
  }

  @Override
  public Integer call() {
    Settings settings = settingOptions.load(spec.commandLine().getParseResult());
    Path folder = out == null ? temporaryFolder() : out;
    Path model = folder.resolve("model");
    SampleShape shape = SampleShape.demo();
    if (!Files.exists(model.resolve("config.json"))) {
      console.message("cafeq: writing a model of " + Amounts.bytes(shape.bytes()) + " to " + model);
      SampleCheckpoint.write(shape, SEED, model, interruption.stopFlag());
    }
    return new QuantizeRun(console, interruption, common.json).run(model, folder.resolve("quantized"), settings);
  }

  private static Path temporaryFolder() {
    try {
      return Files.createTempDirectory("cafeq-demo-");
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT, "no temporary folder can be made: " + e.getMessage(),
          "Set TMPDIR to a folder that can be written, or name one with --out.", e);
    }
  }
}
