package io.cafeq.engine.output;

import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitReceipt;
import java.nio.file.Path;

/** Reads finished units back. Thread-safe. */
@FunctionalInterface
public interface StoredUnits {
  /**
   * The receipt of the unit whose finished file is {@code file}, after every checksum in it was
   * checked and its recipe hash and algorithm version were found to be this job's. Throws an {@link
   * io.cafeq.engine.failure.EngineException} with kind RESULT where the file is anything but
   * complete and right. The receipt's seconds are 0.
   */
  UnitReceipt read(Unit unit, Path file);
}
