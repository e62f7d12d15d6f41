package io.cafeq.engine.output;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitReceipt;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides whether an earlier run's unit counts: its file must be whole, and the source tensors must
 * still have the bytes that it was made from, which only reading them shows. Thread-safe; borrows
 * the checkpoint.
 */
public final class ResumeCheck {
  private static final Logger LOG = LoggerFactory.getLogger(ResumeCheck.class);

  private final Checkpoint checkpoint;
  private final OutputFolder folder;
  private final StoredUnits stored;
  private final StopFlag stop;

  public ResumeCheck(
      Checkpoint checkpoint, OutputFolder folder, StoredUnits stored, StopFlag stop) {
    this.checkpoint = checkpoint;
    this.folder = folder;
    this.stored = stored;
    this.stop = stop;
  }

  /** What is to be done with a unit. */
  public sealed interface Verdict {
    Unit unit();

    /** It is done. */
    record Keep(Unit unit, UnitReceipt receipt) implements Verdict {}

    /** It has no file, or one that is not whole. */
    record Make(Unit unit) implements Verdict {}

    /** It was made from other bytes. */
    record SourceChanged(Unit unit, List<String> tensors) implements Verdict {}
  }

  /** Whether there is a file at all to look at. */
  public boolean hasFile(Unit unit) {
    return Files.exists(folder.unitFile(unit));
  }

  /**
   * Reads the unit's file and its source tensors. A damaged file is no failure: the unit is made
   * again.
   */
  public Verdict check(Unit unit) {
    Path file = folder.unitFile(unit);
    if (!Files.exists(file)) {
      return new Verdict.Make(unit);
    }
    UnitReceipt receipt;
    try {
      receipt = stored.read(unit, file);
    } catch (RuntimeException e) {
      if (e instanceof EngineException known && known.kind() == FailureKind.STOPPED) {
        throw e;
      }
      LOG.warn("Redoing {}: {}", unit.id(), e.getMessage());
      return new Verdict.Make(unit);
    }
    List<String> changed = new ArrayList<>();
    for (PlannedTensor tensor : unit.tensors()) {
      String now = Digests.tensor(checkpoint, tensor.info(), stop);
      if (!now.equals(receipt.sources().get(tensor.name()))) {
        changed.add(tensor.name());
      }
    }
    return changed.isEmpty()
        ? new Verdict.Keep(unit, receipt)
        : new Verdict.SourceChanged(unit, changed);
  }
}
