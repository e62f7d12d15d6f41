package io.cafeq.engine.quantize;

import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.rounding.PairBiases;
import io.cafeq.engine.rounding.PairInputs;
import io.cafeq.engine.rounding.PairRounder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Makes rounders of one pair on any grids. Borrows the workplace. */
record PairRounders(Workplace place, Part.Pair pair, PairShape shape) {

  PairRounder on(GridSpec left, GridSpec right, Optional<PairInputs> inputs) {
    return new PairRounder(
        shape.left(place.reader()),
        shape.right(place.reader()),
        biases(),
        shape.couplings(),
        left,
        right,
        place.lane().encoder(),
        inputs,
        place.stop());
  }

  /** Those that are folded, so that what meets them is aimed at them as well. */
  private PairBiases biases() {
    if (pair.treatment().settings().reverse()) {
      return PairBiases.none();
    }
    return new PairBiases(
        biases(
            pair.leftBias(),
            shape.scales().left(),
            shape.heads().stream().map(Coupling.Head::left).toList()),
        biases(pair.rightBias(), shape.scales().right(), shape.rightChannels()));
  }

  /** Divided like the rows that they are added to. */
  private List<double[]> biases(Optional<PlannedTensor> bias, int exponent, List<Integer> firsts) {
    if (bias.isEmpty()) {
      return List.of();
    }
    double[] values = BiasFolds.read(bias.get().info(), place.reader());
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.scalb(values[i], -exponent);
    }
    return firsts.stream()
        .map(first -> Arrays.copyOfRange(values, first, first + shape.size()))
        .toList();
  }
}
