package io.cafeq.tools;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.config.Settings;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.evaluate.ModelWarnings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.measure.StatisticsChoice;
import io.cafeq.engine.measure.StatisticsPass;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.SideFiles;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.PlanEstimate;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Speed;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.quantize.UnitQuantizer;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
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
  @Parameters(
      paramLabel = "MODEL",
      description = "A checkpoint's folder in Hugging Face form, or one safetensors file.")
  Path model;

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
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
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
    ComputeBackend backend = Backends.open(settings.run().backend().orElse("auto"));
    Plan byCost = Planner.plan(checkpoint, settings.recipe());
    Optional<EngineException> tooLittle = tooLittle(byCost, checkpoint, settings);
    Optional<BudgetPlan> budget =
        tooLittle.isPresent() ? Optional.empty() : budget(checkpoint, settings, backend);
    StatisticsChoice choice = StatisticsChoice.of(settings.recipe().statistics(), checkpoint);
    Plan chosen = budget.map(BudgetPlan::plan).orElse(byCost);
    Plan plan = warned(chosen.warning(ModelWarnings.of(checkpoint)), choice, budget);
    StatisticsPlan statistics = StatisticsPlan.of(choice, checkpoint, plan, settings.recipe());
    Path folder = existing(out.toAbsolutePath());
    InputStatistics stored = statistics.stored(folder, checkpoint, new StopFlag());
    MatrixInputs inputs = MatrixInputs.of(checkpoint);
    Function<Unit, UnitMemory> needed = unit -> UnitQuantizer.memoryNeeded(unit, stored, inputs);
    PlanSummary.Memory memory =
        PlanSummary.Memory.of(plan, settings.run(), unit -> needed.apply(unit).nativeBytes());
    PlanSummary.Disk disk =
        new PlanSummary.Disk(
            folder.toString(),
            PlanEstimate.of(plan).outputBytes()
                + new SideFiles(checkpoint.store(), checkpoint.sideFiles()).bytes()
                + statistics.fileBytes(),
            DiskSpace.usable(folder));
    Speed speed = Speed.measure(backend);
    return PlanSummary.of(
        checkpoint,
        plan,
        budget,
        memory,
        disk,
        speed.seconds(plan, settings.run().resolvedLanes()),
        statistics,
        tooLittle
            .map(PlanCommand::failure)
            .orElseGet(
                () ->
                    refusal(
                        plan,
                        memory,
                        disk,
                        needed,
                        choice,
                        statistics.isEmpty()
                            ? 0
                            : StatisticsPass.memoryNeeded(checkpoint, statistics))));
  }

  private static Plan warned(Plan plan, StatisticsChoice choice, Optional<BudgetPlan> budget) {
    Plan noted = choice.note().map(plan::warning).orElse(plan);
    return budget.isPresent() && !(choice.used() instanceof StatisticsSource.None)
        ? noted.warning(
            "Quantize chooses by the errors of outputs, after it has taken statistics; this choice"
                + " is by those of weights and may be another.")
        : noted;
  }

  private static Optional<BudgetPlan> budget(
      Checkpoint checkpoint, Settings settings, ComputeBackend backend) {
    if (settings.recipe().targetBitsPerWeight().isEmpty()) {
      return Optional.empty();
    }
    long pool = MemoryBudget.of(settings.run().resolvedMaxMemory()).pool();
    return Optional.of(
        BudgetPlan.measure(
            checkpoint,
            settings.recipe(),
            InputStatistics.NONE,
            backend,
            settings.run().resolvedLanes(),
            pool,
            new StopFlag()));
  }

  /** What would stop quantize; the plan is shown all the same. */
  private static @Nullable Failure refusal(
      Plan plan,
      PlanSummary.Memory memory,
      PlanSummary.Disk disk,
      Function<Unit, UnitMemory> needed,
      StatisticsChoice choice,
      long statistics) {
    try {
      MemoryBudget budget = MemoryBudget.of(memory.capBytes());
      plan.units().forEach(unit -> budget.requireFits(unit, needed.apply(unit)));
      budget.requireStatisticsFit(statistics);
      choice.requireText();
      DiskSpace.require(Path.of(disk.folder()), disk.neededBytes(), disk.freeBytes());
      return null;
    } catch (EngineException e) {
      return failure(e);
    }
  }

  private static Optional<EngineException> tooLittle(
      Plan plan, Checkpoint checkpoint, Settings settings) {
    try {
      plan.coverage().require(settings.run().minimumCoverage(), checkpoint.location());
      return Optional.empty();
    } catch (EngineException e) {
      return Optional.of(e);
    }
  }

  private static Failure failure(EngineException e) {
    int code =
        switch (e.kind()) {
          case USAGE -> ExitCode.USAGE;
          case CHECKPOINT -> ExitCode.CHECKPOINT;
          case ENVIRONMENT, STOPPED -> ExitCode.UNITS_MISSING;
          case RESULT -> ExitCode.FAILURE;
        };
    return new Failure(code, String.valueOf(e.getMessage()), e.remedy());
  }

  private static Path existing(Path path) {
    Path at = path;
    while (!Files.exists(at) && at.getParent() != null) {
      at = at.getParent();
    }
    return at;
  }
}
