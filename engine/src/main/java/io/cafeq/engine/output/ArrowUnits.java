package io.cafeq.engine.output;

import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.result.ResultLayout;
import java.nio.file.Path;
import java.util.List;

/** Finished units as Arrow files. */
public final class ArrowUnits implements StoredUnits {
  private final JobIdentity identity;
  private final StopFlag stop;

  public ArrowUnits(JobIdentity identity, StopFlag stop) {
    this.identity = identity;
    this.stop = stop;
  }

  @Override
  public UnitReceipt read(Unit unit, Path file) {
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      require(file, "recipe and algorithm", identity, reader.header().identity());
      require(file, "id", unit.id(), reader.header().id());
      List<String> tensors = unit.tensors().stream().map(PlannedTensor::name).toList();
      require(
          file,
          "tensors",
          tensors,
          reader.header().tensors().stream().map(tensor -> tensor.name()).toList());
      reader.forEach(row -> stop.check());
      return new UnitReceipt(
          unit.id(),
          ResultLayout.unitName(unit.id()),
          reader.bytes(),
          Digests.file(file, stop),
          reader.sourceHashes(),
          reader.header().kernel(),
          reader.figures(),
          0);
    }
  }

  private static void require(Path file, String what, Object expected, Object found) {
    if (!expected.equals(found)) {
      throw new EngineException(
          FailureKind.RESULT,
          file + ": the " + what + " should be " + expected + ", found " + found,
          "Run the same command again; it redoes the unit.");
    }
  }
}
