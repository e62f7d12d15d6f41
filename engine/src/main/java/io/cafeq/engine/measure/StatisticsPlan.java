package io.cafeq.engine.measure;

import io.cafeq.config.Recipe;
import io.cafeq.config.StatisticsSettings;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.estimate.Coefficients;
import io.cafeq.engine.estimate.StreamVector;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.statistics.MomentBlocks;
import io.cafeq.engine.statistics.MomentSums;
import io.cafeq.engine.statistics.Shrinkage;
import java.nio.file.Path;
import java.util.Collection;
import java.util.OptionalInt;

/**
 * Which statistics a job takes, from names and shapes alone.
 *
 * @param inputs of which; nothing where none are taken
 * @param expertsPerToken to how many experts a token goes at most
 * @param estimates how inputs are estimated, where they are
 */
public record StatisticsPlan(
    StatisticsChoice choice,
    StatisticsSettings settings,
    long seed,
    MeasuredInputs inputs,
    int expertsPerToken,
    EstimateKinds estimates) {
  /** Computes an estimate: Java alone, whatever the backend. */
  static final String JAVA = "java";

  private static final long BYTES_PER_FILE = 4 << 10;
  private static final long BYTES_PER_TENSOR = 300;
  private static final long BYTES_PER_TOKEN = 8;

  /** Throws where what the recipe asks for cannot be had from this model. */
  public static StatisticsPlan of(Checkpoint checkpoint, Plan plan, Recipe recipe) {
    StatisticsChoice choice = StatisticsChoice.of(recipe.statistics(), checkpoint);
    return of(choice, checkpoint, plan, recipe);
  }

  /** With a choice that was made before. */
  public static StatisticsPlan of(
      StatisticsChoice choice, Checkpoint checkpoint, Plan plan, Recipe recipe) {
    boolean none = choice.used() instanceof StatisticsSource.None;
    MeasuredInputs inputs =
        none ? MeasuredInputs.NOTHING : MeasuredInputs.of(plan, MatrixInputs.of(checkpoint));
    int experts = checkpoint.config().text().chosenExperts().orElse(Integer.MAX_VALUE);
    EstimateKinds estimates =
        choice.used() instanceof StatisticsSource.Weights
            ? EstimateKinds.of(checkpoint, inputs)
            : EstimateKinds.NONE;
    return new StatisticsPlan(
        choice, recipe.statistics(), recipe.seed(), inputs, experts, estimates);
  }

  /** Whether moments are estimated from the weights, and no token is run. */
  public boolean isEstimate() {
    return choice.used() instanceof StatisticsSource.Weights;
  }

  /** Whether anything is measured. */
  public boolean isEmpty() {
    return inputs.layers().isEmpty();
  }

  /** Bytes of the files of all layers and of the tokens, at most about. */
  public long fileBytes() {
    return fileBytes(inputs.layers());
  }

  /** Bytes of the files of some layers and of the tokens, at most about; 0 for no layers. */
  public long fileBytes(Collection<Integer> layers) {
    if (layers.isEmpty()) {
      return 0;
    }
    long together = isEstimate() ? vectorBytes() : settings.tokens() * BYTES_PER_TOKEN;
    return layers.stream().mapToLong(this::fileBytes).sum() + together + BYTES_PER_FILE;
  }

  /** Of the vectors that all layers are estimated with, each as wide as the stream. */
  private long vectorBytes() {
    long widest =
        inputs.layers().stream()
            .flatMap(layer -> inputs.of(layer).stream())
            .mapToLong(MatrixInput::channels)
            .max()
            .orElse(0);
    long vectors = (long) StreamVector.values().length * (inputs.layers().last() + 1) + 1;
    return vectors * (widest * Float.BYTES + BYTES_PER_TENSOR);
  }

  /** Bytes of one layer's file, at most about. */
  public long fileBytes(int layer) {
    return isEstimate() ? diagonalBytes(layer) : momentBytes(layer);
  }

  private long diagonalBytes(int layer) {
    return BYTES_PER_FILE
        + inputs.of(layer).stream()
            .mapToLong(input -> (long) input.channels() * Float.BYTES + BYTES_PER_TENSOR)
            .sum();
  }

  private long momentBytes(int layer) {
    long bytes = BYTES_PER_FILE;
    long experts = 0;
    long diagonals = 0;
    long ofExperts = 0;
    int channels = 0;
    for (MatrixInput input : inputs.of(layer)) {
      long own =
          MomentBlocks.of(input.channels(), settings.width()).packedBytes() + BYTES_PER_TENSOR;
      if (input.fallBack().isPresent()) {
        experts++;
        diagonals += (long) input.channels() * Float.BYTES + BYTES_PER_TENSOR;
        ofExperts += own;
        channels = channels == 0 ? input.channels() : Math.min(channels, input.channels());
      } else {
        bytes += own;
      }
    }
    if (experts == 0) {
      return bytes;
    }
    // so many experts can have seen enough at the same time; each has an input or two
    long enough =
        2
            * Math.ceilDiv(
                (long) settings.tokens() * expertsPerToken, MomentSums.enoughTokens(channels));
    return bytes
        + (long) Math.ceil((double) ofExperts * Math.min(experts, enough) / experts)
        + diagonals;
  }

  /** The least native memory that taking them takes. */
  public long memoryNeeded(Checkpoint checkpoint) {
    if (isEmpty()) {
      return 0;
    }
    return isEstimate()
        ? EstimatePass.memoryNeeded(checkpoint)
        : StatisticsPass.memoryNeeded(checkpoint, this);
  }

  /** Native bytes of the sums of any one layer. */
  public long sumBytes() {
    return inputs.layers().stream()
        .mapToLong(
            layer ->
                inputs.of(layer).stream()
                    .mapToLong(input -> MomentSums.bytes(input.channels(), settings.width()))
                    .sum())
        .max()
        .orElse(0);
  }

  /**
   * The statistics of this plan in a folder, whose files need not be there before they are read.
   *
   * @param folder {@code statistics} of a result
   */
  public InputStatistics stored(Path folder, Checkpoint checkpoint, StopFlag stop) {
    if (isEmpty()) {
      return InputStatistics.NONE;
    }
    MatrixInputs names = MatrixInputs.of(checkpoint);
    return new StoredStatistics(
        folder,
        isEstimate()
            ? MomentBlocks::ofDiagonal
            : channels -> MomentBlocks.of(channels, settings.width()),
        new Shrinkage(settings.shrinkage()),
        name -> {
          OptionalInt layer = names.layer(name);
          return layer.isPresent() && inputs.layers().contains(layer.getAsInt())
              ? layer
              : OptionalInt.empty();
        },
        stop);
  }

  /**
   * What decides the tokens, but for the content of a text file, and for weights and kernel; of an
   * estimate what decides it.
   */
  String tokensIdentity(Checkpoint checkpoint) {
    StringBuilder text = new StringBuilder("algorithm " + JobIdentity.ALGORITHM_VERSION + "\n");
    text.append("source ").append(choice.used().text());
    if (isEstimate()) {
      text.append("\ncoefficients ").append(Coefficients.builtIn().json());
    }
    text.append("\nseed ")
        .append(seed)
        .append("\ntokens ")
        .append(settings.tokens())
        .append("\nwindow ")
        .append(settings.window())
        .append('\n');
    for (TensorInfo tensor : checkpoint.tensors()) {
      text.append(tensor.name())
          .append(' ')
          .append(tensor.dtype())
          .append(' ')
          .append(tensor.shape())
          .append(' ')
          .append(tensor.file())
          .append(' ')
          .append(tensor.position())
          .append('\n');
    }
    text.append(checkpoint.config().json());
    return Digests.text(text.toString());
  }

  /** What decides a layer's file, but for weights and kernel. */
  String layerIdentity(String tokensIdentity, String tokensSha256, int layer) {
    StringBuilder text =
        new StringBuilder(
            tokensIdentity + "\n" + tokensSha256 + "\nwidth " + settings.width() + "\n");
    inputs
        .of(layer)
        .forEach(
            input ->
                text.append(input.name())
                    .append(' ')
                    .append(input.channels())
                    .append(' ')
                    .append(input.fallBack().orElse(""))
                    .append('\n'));
    return Digests.text(text.toString());
  }
}
