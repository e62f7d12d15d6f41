package io.cafeq.actors.job;

import io.cafeq.actors.lane.JobSite;
import io.cafeq.actors.lane.JobTicket;
import io.cafeq.actors.lane.UnitWork;
import io.cafeq.config.Recipe;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.measure.StatisticsChoice;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Opens jobs on a node from their tickets: the checkpoint's headers are read and the plan is made
 * again, or read from the result's folder where errors were measured for it.
 *
 * @param compute of this node
 */
public record JobSites(JobEngine.Factory engines, Supplier<Compute> compute)
    implements JobSite.Opener {
  @Override
  public JobSite open(JobTicket ticket, StopFlag stop) {
    Checkpoint checkpoint = Checkpoint.open(ticket.model(), ticket.remote());
    try {
      return site(ticket, checkpoint, stop);
    } catch (RuntimeException e) {
      checkpoint.close();
      throw e;
    }
  }

  private JobSite site(JobTicket ticket, Checkpoint checkpoint, StopFlag stop) {
    Recipe recipe = Recipe.parse(ticket.recipe());
    ResultLayout result = new ResultLayout(Path.of(ticket.output()));
    Plan byCost = Planner.plan(checkpoint, recipe);
    Plan plan =
        recipe.targetBitsPerWeight().isPresent()
            ? BudgetPlan.read(result.plan(), checkpoint, recipe).plan()
            : byCost;
    if (!PlanDigest.of(plan).equals(ticket.planDigest())) {
      throw new EngineException(
          FailureKind.CHECKPOINT,
          ticket.model() + " is not the checkpoint that the job was planned for",
          "Leave the checkpoint alone while it is read, and give every node the same one.");
    }
    InputStatistics statistics =
        statistics(ticket, checkpoint, byCost, recipe)
            .stored(result.statistics(), checkpoint, stop);
    JobEngine engine =
        engines.create(
            new JobEngine.Work(checkpoint, recipe, statistics, ticket.verify(), compute));
    Map<String, Unit> units =
        plan.units().stream().collect(Collectors.toMap(Unit::id, Function.identity()));
    return new Site(checkpoint, units, engine, result.root());
  }

  private static StatisticsPlan statistics(
      JobTicket ticket, Checkpoint checkpoint, Plan byCost, Recipe recipe) {
    StatisticsSource used =
        StatisticsSource.parse(ticket.statistics())
            .orElseThrow(() -> new IllegalArgumentException(ticket.statistics()));
    return StatisticsPlan.of(
        new StatisticsChoice(recipe.statistics().source(), used, Optional.empty()),
        checkpoint,
        byCost,
        recipe);
  }

  /** The checkpoint is closed when the site and every lane's work are. */
  private static final class Site implements JobSite {
    private final Checkpoint checkpoint;
    private final Map<String, Unit> units;
    private final JobEngine engine;
    private final Path output;
    private final AtomicInteger users = new AtomicInteger(1);

    private Site(Checkpoint checkpoint, Map<String, Unit> units, JobEngine engine, Path output) {
      this.checkpoint = checkpoint;
      this.units = units;
      this.engine = engine;
      this.output = output;
    }

    @Override
    public UnitMemory memoryNeeded(String unit) {
      return engine.memoryNeeded(unit(unit));
    }

    @Override
    public UnitWork openLane(StopFlag stop) {
      JobEngine.Lane lane = engine.openLane(output, stop);
      users.incrementAndGet();
      return new UnitWork() {
        @Override
        public UnitReceipt run(String unit, Progress progress) {
          return lane.run(unit(unit), progress);
        }

        @Override
        public void close() {
          try {
            lane.close();
          } finally {
            leave();
          }
        }
      };
    }

    @Override
    public long bytesRead() {
      return checkpoint.bytesRead();
    }

    @Override
    public void close() {
      leave();
    }

    private void leave() {
      if (users.decrementAndGet() == 0) {
        checkpoint.close();
      }
    }

    private Unit unit(String id) {
      Unit unit = units.get(id);
      if (unit == null) {
        throw new IllegalArgumentException("the plan has no unit " + id);
      }
      return unit;
    }
  }
}
