package io.cafeq.engine.block;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.Digests;
import io.cafeq.engine.output.StoredUnits;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.JobIdentity;
import io.cafeq.engine.quantize.UnitReceipt;
import java.nio.file.Path;
import java.util.List;

/** Finished units as a resume finds them: every checksum is checked, nothing is decoded. */
public record StoredUnitFiles(JobIdentity identity, StopFlag stop) implements StoredUnits {
  @Override
  public UnitReceipt read(Unit unit, Path file) {
    Damage damage = new Damage(file);
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      UnitHeader header = reader.header();
      List<String> planned = unit.tensors().stream().map(PlannedTensor::name).toList();
      List<String> found = header.tensors().stream().map(TensorHeader::name).toList();
      if (!header.id().equals(unit.id()) || !header.identity().equals(identity) || !found.equals(planned)) {
        throw damage.of("holds unit " + header.id() + " with " + found + " of " + header.identity() + ", expected unit "
            + unit.id() + " with " + planned + " of " + identity);
      }
      reader.forEach(row -> stop.check());
      return new UnitReceipt(
          unit.id(),
          "units/" + file.getFileName(),
          reader.bytes(),
          Digests.file(file, stop),
          reader.sourceHashes(),
          header.kernel(),
          reader.figures(),
          0);
    }
  }
}
