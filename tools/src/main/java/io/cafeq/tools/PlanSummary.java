package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.actors.host.HostSettings;
import io.cafeq.actors.job.JobForecast;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.budget.Predicted;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.PlanEstimate;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.report.CoverageEntry;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A plan as {@code plan --json} prints it.
 *
 * @param seconds about how long the arithmetic takes, without reading and writing
 * @param leftOut files and folders of the checkpoint that the result does not take along, relative
 *     to it
 * @param leftOutReasons why, for each
 * @param statistics which quantize will take, for people; left out of the JSON where it takes none
 * @param error what would stop quantize; left out of the JSON where nothing would
 */
record PlanSummary(
    String source,
    String family,
    Totals totals,
    CoverageEntry coverage,
    Memory memory,
    Disk disk,
    double seconds,
    List<UnitLine> units,
    List<String> leftOut,
    SortedMap<String, String> leftOutReasons,
    List<String> warnings,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Statistics statistics,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Failure error) {

  /**
   * Sums over all units. {@code weights} and {@code bitsPerWeight} are those of quantized tensors.
   *
   * @param predictedError relative, root of the mean over weights of the squares; only where errors
   *     were measured for a target
   */
  record Totals(
      int units,
      int tensors,
      long weights,
      double bitsPerWeight,
      double modelBitsPerWeight,
      long sourceBytes,
      long modelBytes,
      @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double predictedError) {}

  /** Bytes. {@code largestUnitBytes} is what one lane needs at most beside the heap. */
  record Memory(long capBytes, int lanes, long largestUnitBytes) {}

  /**
   * @param source where the tokens come from
   * @param layers of whose matrices inputs are measured
   * @param bytes of the files, at most about
   */
  record Statistics(
      String source,
      int tokens,
      int window,
      int layers,
      long bytes,
      @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Estimates estimates) {
    static @Nullable Statistics of(StatisticsPlan plan) {
      return plan.isEmpty()
          ? null
          : new Statistics(
              plan.choice().used().text(),
              plan.isEstimate() ? 0 : plan.settings().tokens(),
              plan.isEstimate() ? 0 : plan.settings().window(),
              plan.inputs().layers().size(),
              plan.fileBytes(),
              plan.isEstimate()
                  ? new Estimates(plan.estimates().whole(), plan.estimates().floors())
                  : null);
    }
  }

  /**
   * Inputs that are estimated with all features, and by reason those for which the floor has to do.
   */
  record Estimates(int whole, SortedMap<String, Integer> floors) {}

  /** Bytes in the file system of {@code folder}. */
  record Disk(String folder, long neededBytes, long freeBytes) {}

  /** One unit; {@code shapes} go with {@code tensors}, of which scales and the like are none. */
  record UnitLine(
      String id,
      List<String> tensors,
      List<List<Long>> shapes,
      boolean quantized,
      long weights,
      String treatment,
      double bitsPerWeight,
      long bytes,
      @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double predictedError) {
    static UnitLine of(Unit unit, Optional<BudgetPlan> budget) {
      UnitEstimate estimate = UnitEstimate.of(unit);
      List<PlannedTensor> tensors = withoutCompanions(unit.tensors());
      return new UnitLine(
          unit.id(),
          tensors.stream().map(PlannedTensor::name).toList(),
          tensors.stream().map(tensor -> tensor.weight().unquantized().shape()).toList(),
          unit instanceof Unit.Quantized,
          unit.weights(),
          UnitEstimate.describe(unit),
          estimate.bitsPerWeight(),
          estimate.bytes(),
          budget
              .flatMap(measured -> measured.predicted(unit))
              .map(Predicted::relativeError)
              .orElse(null));
    }

    private static List<PlannedTensor> withoutCompanions(List<PlannedTensor> tensors) {
      Set<String> companions =
          tensors.stream()
              .flatMap(tensor -> tensor.weight().sources().stream().skip(1))
              .map(TensorInfo::name)
              .collect(Collectors.toSet());
      return tensors.stream().filter(tensor -> !companions.contains(tensor.name())).toList();
    }
  }

  static PlanSummary of(Checkpoint checkpoint, JobForecast forecast, HostSettings host) {
    Plan plan = forecast.plan();
    PlanEstimate estimate = PlanEstimate.of(plan);
    SortedMap<String, String> leftOut = LeftOutText.reasons(checkpoint.leftOut());
    long sourceBytes = checkpoint.tensors().stream().mapToLong(tensor -> tensor.bytes()).sum();
    return new PlanSummary(
        checkpoint.location(),
        plan.family(),
        new Totals(
            estimate.units(),
            estimate.tensors(),
            estimate.quantized().weights(),
            estimate.bitsPerWeight(),
            estimate.modelBitsPerWeight(),
            sourceBytes,
            estimate.modelBytes(),
            forecast
                .budget()
                .map(BudgetPlan::predicted)
                .map(Predicted::relativeError)
                .orElse(null)),
        CoverageEntry.of(plan.coverage()),
        new Memory(host.maxMemory(), host.lanes(), forecast.needs().largestNativeBytes()),
        new Disk(forecast.folder().toString(), forecast.needs().diskBytes(), forecast.freeBytes()),
        forecast.seconds(),
        plan.units().stream().map(unit -> UnitLine.of(unit, forecast.budget())).toList(),
        List.copyOf(leftOut.keySet()),
        leftOut,
        plan.warnings(),
        Statistics.of(forecast.statistics()),
        forecast.refusal().map(Failure::of).orElse(null));
  }
}
