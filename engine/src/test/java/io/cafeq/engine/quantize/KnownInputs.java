package io.cafeq.engine.quantize;

import io.cafeq.engine.compute.SampleMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** Seeded moments for the inputs that are known. */
record KnownInputs(Predicate<MatrixInput> known) implements InputStatistics {
  @Override
  public Optional<InputMoments> read(MatrixInput input, Arena arena) {
    return known.test(input)
        ? Optional.of(
            SampleMoments.of(arena, List.of(input.channels()), 200, input.name().hashCode()))
        : Optional.empty();
  }

  @Override
  public long bytes(MatrixInput input) {
    return known.test(input) ? (long) Float.BYTES * input.channels() * input.channels() : 0;
  }
}
