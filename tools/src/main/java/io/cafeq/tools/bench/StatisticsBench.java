package io.cafeq.tools.bench;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.measure.StatisticsFolder;
import io.cafeq.engine.measure.StatisticsPass;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.measure.StatisticsTokens;
import io.cafeq.engine.measure.TokenMaker;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * 4,096 random tokens through a layer of 4096 channels (8 key-value heads of 128 channels, 32 query
 * heads, 14336 channels between), read from a file in the page cache, with the second moments of
 * its inputs summed up and written: on one lane, as in a job. Two figures: its products (2
 * operations a token and weight, n (n + 1) a token and input of n channels, cut as by default) in
 * GFLOP/s beside the limit of one lane; and its time beside that of learning the same weights with
 * k = 64 and 100 steps on one lane, by the measured rate of the input side.
 */
public final class StatisticsBench {
  private static final int TOKENS = 4096;
  private static final int HIDDEN = 4096;
  private static final int BETWEEN = 14336;
  private static final int HEADS = 32;
  private static final int KEY_VALUE_HEADS = 8;
  private static final int BLOCK = 64;
  private static final int STEPS = 100;
  private static final long MEMORY = 4L << 30;

  private final Path folder;
  private final ComputeBackend backend;
  private final StopFlag stop;

  /**
   * @param folder an empty one that holds the layer and its statistics meanwhile, about 1 GB
   */
  public StatisticsBench(Path folder, ComputeBackend backend, StopFlag stop) {
    this.folder = folder;
    this.backend = backend;
    this.stop = stop;
  }

  /**
   * @param limit products in GFLOP/s of one lane
   * @param learning in GFLOP/s of one lane, k = 64
   */
  public List<Measured> run(double limit, double learning) {
    long heads = (long) HIDDEN / HEADS * KEY_VALUE_HEADS;
    long weights = HIDDEN * (2L * HIDDEN + 2 * heads + 3L * BETWEEN);
    Recipe recipe =
        Recipe.of(
            Map.of(
                "statistics",
                "random",
                "statistics-tokens",
                Integer.toString(TOKENS),
                "pairs",
                "false"));
    double operations = TOKENS * (2.0 * weights + moments(recipe.statistics().width()));
    double seconds = seconds(recipe);
    double learned = 4.0 * BLOCK * weights * STEPS / learning / 1e9;
    String measured = String.format(Locale.ROOT, "%d tokens, all of it", TOKENS);
    return List.of(
        Measured.of("statistics_pass", operations / seconds / 1e9, "GFLOP/s", limit)
            .with(new Measured.Layer(seconds, measured)),
        Measured.of("statistics_to_learning", seconds, "s per layer", learned));
  }

  private static double moments(int width) {
    return 3 * pieces(HIDDEN, width) + pieces(BETWEEN, width);
  }

  private static double pieces(int channels, int width) {
    int count = Math.ceilDiv(channels, width);
    double each = (double) channels / count;
    return count * each * (each + 1);
  }

  private double seconds(Recipe recipe) {
    Path source = folder.resolve("layer");
    SampleShape shape =
        new SampleShape(
            1,
            HIDDEN,
            BETWEEN,
            HEADS,
            KEY_VALUE_HEADS,
            1024,
            Dtype.BF16,
            true,
            SampleShape.Distribution.GAUSSIAN,
            0,
            Long.MAX_VALUE);
    SampleCheckpoint.write(shape, 0, source, stop);
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      StatisticsPlan plan = StatisticsPlan.of(checkpoint, Planner.plan(checkpoint, recipe), recipe);
      StatisticsTokens tokens = new TokenMaker(checkpoint, backend, MEMORY, stop).make(plan);
      StatisticsFolder target = new StatisticsFolder(folder, checkpoint, plan);
      target.keep(tokens, backend.kernel(), stop);
      long begin = System.nanoTime();
      try (StatisticsPass pass =
          StatisticsPass.open(checkpoint, backend, plan, tokens, target, MEMORY, folder, stop)) {
        pass.next();
        return (System.nanoTime() - begin) / 1e9;
      }
    }
  }
}
