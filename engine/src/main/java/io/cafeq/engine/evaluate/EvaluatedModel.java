package io.cafeq.engine.evaluate;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.SourceQuantization;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.forward.DecoderSize;
import io.cafeq.engine.forward.ForwardModels;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.forward.StackedExperts;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.FolderStore;
import io.cafeq.engine.store.Location;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.weights.CheckpointWeights;
import io.cafeq.engine.weights.ModelWarnings;
import io.cafeq.engine.weights.ResultWeights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * A checkpoint or a finished result as something that can be evaluated. Owns its files until it is
 * closed; used by the thread that opened it.
 */
public final class EvaluatedModel implements AutoCloseable {
  /** What a row of a unit's file takes at most, and what an output-side block usually does. */
  private static final long MOST_ROW_BYTES = 80L << 20;

  private static final long USUAL_BLOCK_BYTES = 16L << 20;

  private final CheckpointStore store;
  private final ModelWeights weights;
  private final Map<String, TensorInfo> tensors;
  private final long memory;
  private final List<String> warnings;
  private final Runnable closeFiles;

  private EvaluatedModel(
      CheckpointStore store,
      ModelWeights weights,
      List<TensorInfo> tensors,
      long memory,
      List<String> warnings,
      Runnable closeFiles) {
    this.store = store;
    this.weights = weights;
    this.memory = memory;
    this.warnings = warnings;
    this.closeFiles = closeFiles;
    this.tensors = HashMap.newHashMap(tensors.size());
    tensors.forEach(tensor -> this.tensors.put(tensor.name(), tensor));
  }

  /**
   * A folder with a result in it, else a checkpoint's folder or a safetensors file with config.json
   * beside it.
   *
   * @throws io.cafeq.engine.failure.EngineException with kind RESULT where the result is unfinished
   *     or damaged, CHECKPOINT where the checkpoint is or a tensor is missing or of another shape,
   *     USAGE where there is neither or no forward pass is written for the model
   */
  public static EvaluatedModel open(Path path) {
    ResultLayout layout = new ResultLayout(path);
    return Files.exists(layout.manifest()) || Files.isDirectory(layout.units())
        ? predicting(ofResult(path))
        : predicting(ofCheckpoint(Checkpoint.open(path)));
  }

  /**
   * As {@link #open(Path)}, for a location as people write it.
   *
   * @param remote how addresses are read
   */
  public static EvaluatedModel open(String location, RemoteSettings remote) {
    return switch (Location.parse(location)) {
      case Location.Local(Path path) -> open(path);
      case Location.Remote address -> predicting(ofCheckpoint(Checkpoint.open(location, remote)));
    };
  }

  /** All tensors are looked at now, so that no hours are lost for a head that is missing. */
  private static EvaluatedModel predicting(EvaluatedModel model) {
    try {
      ForwardModels.requirePredicting(model.weights);
      return model;
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  private static EvaluatedModel ofResult(Path folder) {
    ResultWeights weights = ResultWeights.open(folder);
    return new EvaluatedModel(
        FolderStore.open(folder), weights, weights.tensors(), bytes(weights), List.of(), () -> {});
  }

  private static EvaluatedModel ofCheckpoint(Checkpoint checkpoint) {
    try {
      SourceQuantization.check(
          checkpoint, ModelDescription.of(checkpoint)::isInLayers, info -> false);
      CheckpointWeights weights = CheckpointWeights.of(checkpoint);
      return new EvaluatedModel(
          checkpoint.store(),
          weights,
          weights.tensors(),
          TensorReader.SCRATCH_BYTES,
          checkpoint.warnings(),
          checkpoint::close);
    } catch (RuntimeException e) {
      checkpoint.close();
      throw e;
    }
  }

  private static long bytes(ResultWeights weights) {
    long matrix =
        weights.tensors().stream().mapToLong(TensorInfo::elements).max().orElse(0) * Float.BYTES;
    return TensorReader.SCRATCH_BYTES
        + Math.min(MOST_ROW_BYTES, matrix)
        + Math.min(USUAL_BLOCK_BYTES, matrix);
  }

  /** Where the model is, for messages. */
  public String location() {
    return store.location();
  }

  /** The files beside the weights, such as tokenizer.json; borrowed. */
  public CheckpointStore store() {
    return store;
  }

  /** With each expert's matrices by names of their own, however they are stored. */
  public ModelWeights weights() {
    return StackedExperts.over(weights);
  }

  /**
   * What a user should know of the model's files before its figures are believed, each a sentence.
   */
  public List<String> warnings() {
    return Stream.concat(warnings.stream(), ModelWarnings.of(weights).stream()).toList();
  }

  /** The most tokens that the model takes at once; empty where config.json does not say. */
  public OptionalInt longestInput() {
    return weights.model().config().text().longestInput();
  }

  /**
   * What its texts begin with. Throws where no forward pass is written for the model, or
   * config.json is wrong.
   */
  public BeginningToken beginningToken() {
    return ForwardModels.beginningToken(weights);
  }

  /**
   * Throws with kind USAGE where a reference is of another shape, so that there is nothing to
   * compare.
   */
  public void requireAlike(EvaluatedModel reference) {
    DecoderSize own = DecoderSize.of(weights);
    DecoderSize other = DecoderSize.of(reference.weights);
    if (!own.equals(other)) {
      throw new EngineException(
          FailureKind.USAGE,
          "%s has %d layers, %d channels and a vocabulary of %d; %s has %d, %d and %d"
              .formatted(
                  location(),
                  own.layers(),
                  own.hidden(),
                  own.vocabulary(),
                  reference.location(),
                  other.layers(),
                  other.hidden(),
                  other.vocabulary()),
          "Compare with the checkpoint that the model was made from.");
    }
  }

  /** Native bytes that reading the weights takes. */
  long memory() {
    return memory;
  }

  /** Values and outputs of which only the product counts, whether or not use was made of that. */
  Map<String, Coupling> couplingsByValues() {
    Map<String, Coupling> byValues = new HashMap<>();
    weights.model().family().couplings(tensors).legal().stream()
        .filter(coupling -> coupling.kind() == Coupling.Kind.VALUE_OUTPUT)
        .forEach(coupling -> byValues.put(coupling.left(), coupling));
    return byValues;
  }

  /** Whether a matrix is known to be stored as a factor of a pair. */
  boolean isFactor(String matrix) {
    return weights instanceof ResultWeights result && result.isCoupled(matrix);
  }

  @Override
  public void close() {
    try {
      weights.close();
    } finally {
      closeFiles.run();
    }
  }
}
