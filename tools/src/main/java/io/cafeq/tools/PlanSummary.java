package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.config.RunSettings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.PlanEstimate;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.quantize.UnitQuantizer;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A plan as {@code plan --json} prints it.
 *
 * @param seconds about how long the arithmetic takes, without reading and writing
 * @param leftOut files and folders of the checkpoint that the result does not take along
 * @param error what would stop quantize; left out of the JSON where nothing would
 */
record PlanSummary(
    String source,
    String family,
    Totals totals,
    Memory memory,
    Disk disk,
    double seconds,
    List<UnitLine> units,
    List<String> leftOut,
    List<String> warnings,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Failure error) {

  /** Sums over all units. {@code weights} and {@code bitsPerWeight} are those of quantized tensors. */
  record Totals(
      int units, int tensors, long weights, double bitsPerWeight, double modelBitsPerWeight, long sourceBytes, long modelBytes) {}

  /** Bytes. {@code largestUnitBytes} is what one lane needs at most beside the heap. */
  record Memory(long capBytes, int lanes, long largestUnitBytes) {
    static Memory of(Plan plan, RunSettings run) {
      long largest = plan.units().stream().mapToLong(UnitQuantizer::memoryNeeded).max().orElse(0);
      return new Memory(run.resolvedMaxMemory(), run.resolvedLanes(), largest);
    }
  }

  /** Bytes in the file system of {@code folder}. */
  record Disk(String folder, long neededBytes, long freeBytes) {}

  /** One unit; {@code shapes} go with {@code tensors}. */
  record UnitLine(
      String id,
      List<String> tensors,
      List<List<Long>> shapes,
      boolean quantized,
      long weights,
      String treatment,
      double bitsPerWeight,
      long bytes) {
    static UnitLine of(Unit unit) {
      UnitEstimate estimate = UnitEstimate.of(unit);
      return new UnitLine(
          unit.id(),
          unit.tensors().stream().map(PlannedTensor::name).toList(),
          unit.tensors().stream().map(tensor -> tensor.info().shape()).toList(),
          unit instanceof Unit.Quantized,
          unit.weights(),
          UnitEstimate.describe(unit),
          estimate.bitsPerWeight(),
          estimate.bytes());
    }
  }

  static PlanSummary of(
      Checkpoint checkpoint, Plan plan, Memory memory, Disk disk, double seconds, @Nullable Failure error) {
    PlanEstimate estimate = PlanEstimate.of(plan);
    long sourceBytes = checkpoint.tensors().stream().mapToLong(tensor -> tensor.bytes()).sum();
    return new PlanSummary(
        checkpoint.folder().toString(),
        plan.family(),
        new Totals(
            estimate.units(), estimate.tensors(), estimate.quantized().weights(), estimate.bitsPerWeight(),
            estimate.modelBitsPerWeight(), sourceBytes, estimate.modelBytes()),
        memory,
        disk,
        seconds,
        plan.units().stream().map(UnitLine::of).toList(),
        checkpoint.leftOut().stream().map(Path::getFileName).map(String::valueOf).toList(),
        plan.warnings(),
        error);
  }
}
