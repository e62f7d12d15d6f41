package io.cafeq.engine.model;

import java.util.List;
import java.util.Random;

/**
 * Seeded values of the size that trained models have: matrices with Student's heavy tails and a few
 * loud input channels, norms around one, biases that matter. A tensor's values depend on the seed,
 * its name and its shape alone.
 */
final class Draws {
  private static final int DEGREES_OF_FREEDOM = 6;
  private static final int LOUD_EVERY = 23;
  private static final double LOUD = 4;

  private final long seed;
  private final boolean normsAroundZero;

  /**
   * @param normsAroundZero whether the model multiplies by 1 + w
   */
  Draws(long seed, boolean normsAroundZero) {
    this.seed = seed;
    this.normsAroundZero = normsAroundZero;
  }

  /** A tensor that is not packed. */
  double[] tensor(String name, List<Integer> shape, boolean transposed) {
    int count = shape.stream().reduce(1, Math::multiplyExact);
    Random random = new Random(seed * 31 + name.hashCode());
    if (name.endsWith("attention.bias") || name.endsWith("attn.bias")) {
      return causalMask(count, shape.getLast());
    }
    boolean addsUp = name.endsWith("bias") || name.endsWith(".beta");
    if (addsUp || name.endsWith("sinks")) {
      return gaussian(random, count, 0, addsUp ? 0.3 : 1);
    }
    if (name.contains("norm") || name.contains("LayerNorm") || name.contains("ln_")) {
      return gaussian(random, count, normsAroundZero ? 0 : 1, 0.15);
    }
    if (shape.size() < 2
        || name.contains("embed")
        || name.contains("wte")
        || name.contains("wpe")) {
      return gaussian(random, count, 0, 1);
    }
    int in = transposed ? shape.get(shape.size() - 2) : shape.getLast();
    return matrix(random, count, in, transposed ? shape.getLast() : 1);
  }

  /** Rows [.., in], for packed tensors. */
  double[] rows(String name, int count, int in) {
    return matrix(new Random(seed * 31 + name.hashCode()), count, in, 1);
  }

  /**
   * @param stride elements from an input channel to the next
   */
  private static double[] matrix(Random random, int count, int in, int stride) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      double squares = 0;
      for (int j = 0; j < DEGREES_OF_FREEDOM; j++) {
        double gaussian = random.nextGaussian();
        squares += gaussian * gaussian / DEGREES_OF_FREEDOM;
      }
      int channel = i / stride % in;
      double size = channel % LOUD_EVERY == LOUD_EVERY / 2 ? LOUD : 1;
      values[i] = size * random.nextGaussian() / Math.sqrt(squares * in);
    }
    return values;
  }

  private static double[] gaussian(Random random, int count, double mean, double deviation) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = mean + deviation * random.nextGaussian();
    }
    return values;
  }

  private static double[] causalMask(int count, int positions) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = i % positions <= i / positions % positions ? 1 : 0;
    }
    return values;
  }
}
