package io.cafeq.tools;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.config.RunSettings;
import io.cafeq.config.Settings;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.evaluate.ChoiceEvaluation;
import io.cafeq.engine.evaluate.ChoiceQuestions;
import io.cafeq.engine.evaluate.ChoiceScore;
import io.cafeq.engine.evaluate.Comparison;
import io.cafeq.engine.evaluate.EvaluatedModel;
import io.cafeq.engine.evaluate.QuestionFile;
import io.cafeq.engine.evaluate.Resources;
import io.cafeq.engine.evaluate.TextEvaluation;
import io.cafeq.engine.evaluate.TextScore;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
  @Parameters(paramLabel = "MODEL", description = "A checkpoint, or the folder of a result.")
  Path model;

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
  @Nullable Path reference;

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

  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final Interruption interruption;
  private final List<String> warnings = new ArrayList<>();

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
    RunSettings settings = settings();
    try (EvaluationProgress progress = new EvaluationProgress(console);
        ComputeLane lane = Backends.open(settings.backend().orElse("auto")).openLane();
        EvaluatedModel evaluated = EvaluatedModel.open(model);
        @Nullable EvaluatedModel other =
            reference == null ? null : EvaluatedModel.open(reference)) {
      MemoryBudget budget = MemoryBudget.of(settings.resolvedMaxMemory());
      Resources resources =
          new Resources(
              lane.products(),
              budget.pool(),
              budget.taken(),
              Path.of(System.getProperty("java.io.tmpdir")),
              interruption.stopFlag(),
              progress);
      EvaluationSummary summary = evaluateOnTheHeap(resources, evaluated, other, start);
      progress.close();
      if (common.json) {
        console.json(summary);
      } else {
        console.result(new EvaluationText(summary).render());
      }
    }
    return ExitCode.OK;
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

  private EvaluationSummary evaluateOnTheHeap(
      Resources resources, EvaluatedModel evaluated, @Nullable EvaluatedModel other, long start) {
    try {
      return evaluate(resources, evaluated, other, start);
    } catch (OutOfMemoryError full) {
      // Tokens lie on the heap, and --max-memory is about what lies outside it.
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          "the program ran out of memory: " + full.getMessage(),
          "Split the file of --choices and evaluate its parts, or take fewer --windows.",
          full);
    }
  }

  private EvaluationSummary evaluate(
      Resources resources, EvaluatedModel evaluated, @Nullable EvaluatedModel other, long start) {
    evaluated.warnings().forEach(this::warn);
    if (other != null) {
      evaluated.requireAlike(other);
      other.warnings().forEach(warning -> warn(reference + ": " + warning));
    }
    TextEvaluation ofText = null;
    ChoiceEvaluation ofChoices = null;
    BeginningToken beginning;
    try (TextTokenizer tokenizer = TextTokenizer.open(evaluated.folder())) {
      beginning = evaluated.beginningToken();
      if (choices != null) {
        ChoiceQuestions questions =
            new ChoiceQuestions(tokenizer, evaluated.longestInput(), beginning);
        QuestionFile.forEach(choices, questions::add);
        ofChoices = new ChoiceEvaluation(resources, questions);
        ofChoices.require(evaluated);
      }
      if (text != null) {
        ofText = new TextEvaluation(resources, cut(text, tokenizer, beginning));
        warnOfLength(evaluated);
      }
    }
    if (other == null) {
      TextScore score = ofText == null ? null : ofText.score(evaluated);
      ChoiceScore chosen = ofChoices == null ? null : ofChoices.score(evaluated);
      return EvaluationSummary.of(
          model.toString(), beginning, score, chosen, null, warnings, seconds(start));
    }
    if (ofChoices != null) {
      ofChoices.require(other);
    }
    Comparison comparison = ofText == null ? null : ofText.compare(evaluated, other);
    ChoiceScore chosen = ofChoices == null ? null : ofChoices.score(evaluated);
    ChoiceScore ofOther = ofChoices == null ? null : ofChoices.score(other);
    return EvaluationSummary.of(
        model.toString(),
        beginning,
        comparison == null ? null : comparison.model(),
        chosen,
        EvaluationSummary.Against.of(String.valueOf(reference), comparison, ofOther),
        warnings,
        seconds(start));
  }

  /** The last token of a window is only predicted. */
  private void warnOfLength(EvaluatedModel evaluated) {
    evaluated
        .longestInput()
        .ifPresent(
            longest -> {
              if (window - 1 > longest) {
                warn(
                    "windows of "
                        + window
                        + " tokens go beyond the "
                        + longest
                        + " positions that the model was trained for"
                        + " (max_position_embeddings); what it predicts there counts too");
              }
            });
  }

  private void warn(String warning) {
    warnings.add(warning);
    console.message("cafeq: " + warning);
  }

  private List<int[]> cut(Path file, TextTokenizer tokenizer, BeginningToken beginning) {
    int ofText = window - beginning.count();
    int wanted = (int) Math.min(Integer.MAX_VALUE, (long) windows * ofText);
    int[] tokens = tokenizer.beginning(file, wanted);
    List<int[]> cut =
        TextEvaluation.windows(tokens, ofText, windows).stream().map(beginning::before).toList();
    if (cut.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          file + ": has " + tokens.length + " tokens, a window takes " + ofText,
          "Give a longer text, or a smaller --window.");
    }
    if (cut.size() < windows) {
      warn(
          file
              + " has only "
              + cut.size()
              + " whole windows of "
              + window
              + " tokens; they are evaluated");
    }
    return cut;
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
  }
}
