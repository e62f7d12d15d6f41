package io.cafeq.tools;

import io.cafeq.config.ByteSize;
import io.cafeq.config.Settings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code cafeq demo}. */
@Command(
    name = "demo",
    description =
        "Writes a Llama-shaped checkpoint of random weights with outliers, and quantizes it.",
    exitCodeOnExecutionException = ExitCode.UNITS_MISSING)
final class DemoCommand implements Callable<Integer>, TakesSettings {
  private static final long SEED = 1;
  private static final long LEAST_SIZE = 1_000_000;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Folder for the model and the result. Default: a new temporary folder")
  @Nullable Path out;

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      converter = Size.class,
      description =
          "Upper limit for the size of the weights, at least 1 MB, such as 500MB or 12GB; in files"
              + " of 4 GB. Default: 28 MB")
  @Nullable Long size;

  @Option(names = "--model-only", description = "Write the model only.")
  boolean modelOnly;

  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final Interruption interruption;
  private final SettingOptions settingOptions;

  /** The JSON document of {@code --model-only}. */
  private record Document(String model) {}

  /** Reads sizes as the settings do. */
  private static final class Size implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return ByteSize.parse(text).stream()
          .filter(bytes -> bytes >= LEAST_SIZE)
          .boxed()
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "expected a size of at least 1 MB such as 12GB, found '" + text + "'"));
    }
  }

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
    if (Files.exists(model.resolve("config.json"))) {
      console.message("cafeq: using the model in " + model);
    } else {
      SampleShape shape = size == null ? SampleShape.demo() : SampleShape.ofBytes(size);
      console.message("cafeq: writing a model of " + Amounts.bytes(shape.bytes()) + " to " + model);
      SampleCheckpoint.write(shape, SEED, model, interruption.stopFlag());
    }
    if (modelOnly) {
      tell(model);
      return ExitCode.OK;
    }
    return new QuantizeRun(console, interruption, common.json)
        .run(model.toString(), folder.resolve("quantized"), settings);
  }

  private void tell(Path model) {
    if (common.json) {
      console.json(new Document(model.toString()));
    } else {
      console.result("The model is in " + VisibleText.line(model.toString()) + "\n");
    }
  }

  private static Path temporaryFolder() {
    try {
      return Files.createTempDirectory("cafeq-demo-");
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          "cannot create a temporary folder: " + e.getMessage(),
          "Set TMPDIR to a writable folder, or name a folder with --out.",
          e);
    }
  }
}
