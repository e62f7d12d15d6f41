package io.cafeq.tools;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.estimate.CoefficientFit;
import io.cafeq.engine.estimate.Coefficients;
import io.cafeq.engine.estimate.DiagonalEstimates;
import io.cafeq.engine.estimate.InputKind;
import io.cafeq.engine.estimate.MeasuredModel;
import io.cafeq.engine.estimate.ModelLayout;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.measure.MeasuredDiagonals;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code cafeq fit}. */
@Command(
    name = "fit",
    description =
        "Fits the coefficients of --statistics weights anew to moments that were measured, and says"
            + " how well they hold for a model that was left out.")
final class FitCommand implements Callable<Integer> {
  @Parameters(
      arity = "2..*",
      paramLabel = "MODEL RESULT",
      description =
          "Checkpoints, each before a result of it that was made with --statistics text, self,"
              + " random or file:PATH.")
  List<Path> paths = new ArrayList<>();

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  FitCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  /**
   * How well coefficients hold for a model.
   *
   * @param fitted fitted to all models, this one among them
   * @param leftOut fitted to all others; null where there is none
   * @param builtIn those that come with the program
   */
  record ModelFit(
      String model,
      SortedMap<InputKind, CoefficientFit.Figures> fitted,
      @Nullable SortedMap<InputKind, CoefficientFit.Figures> leftOut,
      SortedMap<InputKind, CoefficientFit.Figures> builtIn) {}

  /** As {@code --json} prints it. */
  record Fit(ObjectNode coefficients, List<ModelFit> models) {}

  @Override
  public Integer call() {
    if (paths.size() % 2 != 0) {
      throw new EngineException(
          FailureKind.USAGE,
          "a result is missing after " + paths.getLast(),
          "Name each model before a result of it.");
    }
    StopFlag stop = interruption.stopFlag();
    Deque<AutoCloseable> opened = new ArrayDeque<>();
    try {
      List<MeasuredModel> models = new ArrayList<>();
      for (int i = 0; i < paths.size(); i += 2) {
        models.add(open(paths.get(i), paths.get(i + 1), stop, opened));
      }
      fit(models);
      return ExitCode.OK;
    } finally {
      opened.forEach(FitCommand::close);
    }
  }

  private MeasuredModel open(Path model, Path result, StopFlag stop, Deque<AutoCloseable> opened) {
    Checkpoint checkpoint = Checkpoint.open(model);
    opened.push(checkpoint);
    DiagonalEstimates estimates =
        DiagonalEstimates.open(checkpoint, ModelLayout.of(checkpoint), tensor -> {}, stop);
    opened.push(estimates);
    console.message("cafeq: gathering " + model);
    return new MeasuredModel(
        model.toString(),
        estimates,
        estimates.gather(),
        new MeasuredDiagonals(result, checkpoint, stop));
  }

  private static void close(AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private void fit(List<MeasuredModel> models) {
    Coefficients builtIn = Coefficients.builtIn();
    Coefficients fitted = CoefficientFit.fit(models, origin(models));
    List<ModelFit> figures = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      MeasuredModel model = models.get(i);
      console.message("cafeq: comparing " + model.name());
      List<MeasuredModel> others = new ArrayList<>(models);
      others.remove(i);
      figures.add(
          new ModelFit(
              model.name(),
              CoefficientFit.figures(model, fitted),
              others.isEmpty()
                  ? null
                  : CoefficientFit.figures(model, CoefficientFit.fit(others, origin(others))),
              CoefficientFit.figures(model, builtIn)));
    }
    if (common.json) {
      console.json(new Fit(fitted.tree(), figures));
      return;
    }
    console.result(table(figures).render() + "\n" + fitted.json() + "\n");
  }

  private static String origin(List<MeasuredModel> models) {
    return "Weighted least squares of log diag H on the features, channels weighted by h: cafeq fit"
               + " of "
        + String.join(", ", models.stream().map(MeasuredModel::name).toList());
  }

  private static TextTable table(List<ModelFit> models) {
    TextTable table =
        new TextTable(2)
            .row(
                "",
                "",
                "inputs",
                "r fitted",
                "r left out",
                "r built in",
                "loss fitted",
                "left out",
                "built in");
    for (ModelFit model : models) {
      model
          .fitted()
          .forEach(
              (kind, fitted) -> {
                SortedMap<InputKind, CoefficientFit.Figures> others =
                    model.leftOut() == null ? new TreeMap<>() : model.leftOut();
                CoefficientFit.Figures left = others.get(kind);
                CoefficientFit.Figures usual = model.builtIn().get(kind);
                table.row(
                    model.model(),
                    kind.text(),
                    Integer.toString(fitted.inputs()),
                    two(fitted.correlation()),
                    left == null ? "-" : two(left.correlation()),
                    usual == null ? "-" : two(usual.correlation()),
                    two(fitted.loss()),
                    left == null ? "-" : two(left.loss()),
                    usual == null ? "-" : two(usual.loss()));
              });
    }
    return table;
  }

  private static String two(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }
}
