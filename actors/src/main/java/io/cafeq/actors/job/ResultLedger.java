package io.cafeq.actors.job;

import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.output.ResumeCheck.Verdict;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.report.UnitResult;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Records what became of each unit, from any thread; read in plan order. Thread-safe. */
final class ResultLedger {
  private final Plan plan;
  private final Map<String, UnitResult> results = new HashMap<>();

  ResultLedger(Plan plan) {
    this.plan = plan;
  }

  synchronized void keep(Verdict.Keep keep) {
    results.put(keep.unit().id(), new UnitResult.Kept(keep.unit(), keep.receipt()));
  }

  synchronized void put(UnitResult result) {
    results.put(result.unit().id(), result);
  }

  /** Every unit of the plan, those without a result as missing. */
  synchronized List<UnitResult> inPlanOrder() {
    List<UnitResult> ordered = new ArrayList<>();
    for (Unit unit : plan.units()) {
      ordered.add(results.getOrDefault(unit.id(), new UnitResult.Missing(unit)));
    }
    return ordered;
  }

  /** Units that have no file yet, in plan order. */
  List<Unit> open() {
    return inPlanOrder().stream()
        .filter(result -> !(result instanceof UnitResult.Kept || result instanceof UnitResult.Done))
        .map(UnitResult::unit)
        .toList();
  }

  /** Receipts of all units that are there, in plan order. */
  List<UnitReceipt> receipts() {
    List<UnitReceipt> receipts = new ArrayList<>();
    for (UnitResult result : inPlanOrder()) {
      switch (result) {
        case UnitResult.Done done -> receipts.add(done.receipt());
        case UnitResult.Kept kept -> receipts.add(kept.receipt());
        case UnitResult.Failed failed -> {}
        case UnitResult.Missing missing -> {}
      }
    }
    return receipts;
  }

  /**
   * The failure to tell of: one of the checkpoint, which the same command will meet again, before
   * any other.
   */
  Optional<UnitFailure> cause() {
    List<UnitFailure> failures = new ArrayList<>();
    for (UnitResult result : inPlanOrder()) {
      if (result instanceof UnitResult.Failed(Unit unit, UnitFailure failure)) {
        failures.add(failure);
      }
    }
    return failures.stream()
        .filter(failure -> failure.kind() == FailureKind.CHECKPOINT)
        .findFirst()
        .or(() -> failures.stream().findFirst());
  }
}
