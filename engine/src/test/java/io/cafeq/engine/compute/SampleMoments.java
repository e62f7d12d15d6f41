package io.cafeq.engine.compute;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Second moments of inputs such as models have: correlated, with means, and with a few channels of
 * most of the energy.
 */
public final class SampleMoments {
  private SampleMoments() {}

  /** Mean of x x^T in blocks of these sizes. */
  public static InputMoments of(Arena arena, List<Integer> sizes, int tokens, long seed) {
    int n = sizes.stream().mapToInt(Integer::intValue).sum();
    double[] h = full(n, tokens, seed);
    List<InputMoments.Block> blocks = new ArrayList<>();
    int first = 0;
    for (int size : sizes) {
      FloatMatrix block = FloatMatrix.allocate(arena, size, size);
      for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
          block.set(i, j, (float) h[(first + i) * n + first + j]);
        }
      }
      blocks.add(new InputMoments.Block(first, block));
      first += size;
    }
    return new InputMoments("sample", tokens, blocks);
  }

  /** c times the identity. */
  public static InputMoments identity(Arena arena, int n, float c) {
    FloatMatrix block = FloatMatrix.allocate(arena, n, n);
    for (int i = 0; i < n; i++) {
      block.set(i, i, c);
    }
    return new InputMoments("identity", 1, List.of(new InputMoments.Block(0, block)));
  }

  /** The moments as doubles, 0 between blocks, with something added to the diagonal. */
  public static double[][] dense(InputMoments moments, double raised) {
    double[][] h = new double[moments.channels()][moments.channels()];
    for (InputMoments.Block block : moments.blocks()) {
      for (int i = 0; i < block.channels(); i++) {
        for (int j = 0; j < block.channels(); j++) {
          h[block.firstChannel() + i][block.firstChannel() + j] =
              block.moments().get(i, j) + (i == j ? raised : 0);
        }
      }
    }
    return h;
  }

  /** The mean of the diagonal. */
  public static double mean(InputMoments moments) {
    double[][] h = dense(moments, 0);
    double sum = 0;
    for (int i = 0; i < h.length; i++) {
      sum += h[i][i] / h.length;
    }
    return sum;
  }

  private static double[] full(int n, int tokens, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int factors = Math.max(1, n / 3);
    double[] mix = Seeds.gaussians(random, factors * n);
    double[] scale = Seeds.gaussians(random, n);
    double[] h = new double[n * n];
    double[] x = new double[n];
    for (int token = 0; token < tokens; token++) {
      double[] latent = Seeds.gaussians(random, factors);
      double[] noise = Seeds.gaussians(random, n);
      for (int c = 0; c < n; c++) {
        double sum = 0.3 * noise[c];
        for (int f = 0; f < factors; f++) {
          sum += latent[f] * mix[f * n + c] / Math.sqrt(factors);
        }
        double loud = c % 37 == 5 ? 8 : 1;
        x[c] = loud * Math.exp(0.5 * scale[c]) * (sum + 0.5);
      }
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          h[i * n + j] += x[i] * x[j] / tokens;
        }
      }
    }
    return h;
  }
}
