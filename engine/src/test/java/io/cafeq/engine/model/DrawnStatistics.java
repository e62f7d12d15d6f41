package io.cafeq.engine.model;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Moments of drawn inputs, others for each name: a few directions that most inputs share, channels
 * of very different size.
 *
 * @param blocks that the moments are kept in
 * @param known part of names that moments are known of; empty for all
 */
public record DrawnStatistics(int blocks, String known) implements InputStatistics {
  @Override
  public Optional<InputMoments> read(MatrixInput input, Arena arena) {
    if (!input.name().contains(known)) {
      return Optional.empty();
    }
    int n = input.channels();
    SplittableRandom random = new SplittableRandom(input.name().hashCode());
    double[] scales = Seeds.gaussians(random, n);
    double[][] directions = {Seeds.gaussians(random, n), Seeds.gaussians(random, n)};
    int width = (n + blocks - 1) / blocks;
    return Optional.of(
        new InputMoments(
            input.name(),
            100,
            IntStream.iterate(0, first -> first < n, first -> first + width)
                .mapToObj(
                    first -> block(first, Math.min(width, n - first), scales, directions, arena))
                .toList()));
  }

  private static InputMoments.Block block(
      int first, int size, double[] scales, double[][] directions, Arena arena) {
    FloatMatrix moments = FloatMatrix.allocate(arena, size, size);
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        double sum = i == j ? 1 : 0;
        for (double[] direction : directions) {
          sum += 2 * direction[first + i] * direction[first + j];
        }
        moments.set(i, j, (float) (sum * Math.exp(0.8 * (scales[first + i] + scales[first + j]))));
      }
    }
    return new InputMoments.Block(first, moments);
  }

  @Override
  public long bytes(MatrixInput input) {
    int width = (input.channels() + blocks - 1) / blocks;
    return input.name().contains(known) ? (long) Float.BYTES * blocks * width * width : 0;
  }
}
