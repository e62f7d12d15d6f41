package io.cafeq.tools;

import io.cafeq.actors.host.EngineHost;
import io.cafeq.actors.host.HostSettings;
import io.cafeq.config.RunSettings;
import io.cafeq.config.Settings;
import io.cafeq.engine.evaluate.EvaluationRequest;
import io.cafeq.engine.evaluate.EvaluationResult;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cafeq evaluate}. */
@Command(
    name = "evaluate",
    description = {
      "Runs a checkpoint, or a result decoded as it goes, on a text or on multiple-choice"
          + " questions.",
      "Give --text, --choices or both."
    })
final class EvaluateCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "MODEL",
      description = "The folder of a result, or a checkpoint as quantize takes it.")
  String model = "";

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "A text in UTF-8, whose perplexity is measured.")
  @Nullable Path text;

  @Option(
      names = "--choices",
      paramLabel = "FILE",
      description =
          "Questions, a line each: {\"context\": \"...\", \"choices\": [\"...\", \"...\"],"
              + " \"answer\": 0}.")
  @Nullable Path choices;

  @Option(
      names = "--windows",
      paramLabel = "N",
      description = "Windows of the text, from its start (default ${DEFAULT-VALUE}).")
  int windows = 8;

  @Option(
      names = "--window",
      paramLabel = "N",
      description = "Tokens of a window, which see one another (default ${DEFAULT-VALUE}).")
  int window = 512;

  @Option(
      names = "--against",
      paramLabel = "MODEL",
      description =
          "A reference, such as the checkpoint that a result was made from: how far the model is"
              + " from it.")
  @Nullable String reference;

  @Option(
      names = "--max-memory",
      paramLabel = "SIZE",
      description =
          "Memory that the process may take, such as 2g (default: a quarter of the machine's).")
  @Nullable String maxMemory;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "Where to compute (default: auto).")
  @Nullable String backend;

  @Mixin RemoteOptions remote = new RemoteOptions();
  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final Interruption interruption;

  EvaluateCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() {
    if (text == null && choices == null) {
      throw new ParameterException(spec.commandLine(), "give --text, --choices or both");
    }
    if (windows < 1 || window < 2) {
      throw new ParameterException(
          spec.commandLine(), "--windows must be at least 1, --window at least 2");
    }
    long start = System.nanoTime();
    EvaluationRequest request =
        new EvaluationRequest(
            model,
            Optional.ofNullable(reference),
            Optional.ofNullable(text),
            Optional.ofNullable(choices),
            windows,
            window,
            remote.settings());
    EvaluationResult result = evaluate(request);
    double seconds = (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
    EvaluationSummary summary =
        EvaluationSummary.of(model, String.valueOf(reference), result, seconds);
    if (common.json) {
      console.json(summary);
    } else {
      console.result(new EvaluationText(summary).render());
    }
    return ExitCode.OK;
  }

  private EvaluationResult evaluate(EvaluationRequest request) {
    try (EvaluationProgress progress = new EvaluationProgress(console);
        EngineHost host = EngineHost.start(HostSettings.of(settings()), Version.current())) {
      return host.evaluate(
          request,
          progress,
          warning -> console.message("cafeq: " + warning),
          interruption.stopFlag());
    }
  }

  private RunSettings settings() {
    Map<String, String> given = new TreeMap<>();
    if (maxMemory != null) {
      given.put("run.max-memory", maxMemory);
    }
    if (backend != null) {
      given.put("run.backend", backend);
    }
    return Settings.load(Optional.empty(), given).run();
  }
}
