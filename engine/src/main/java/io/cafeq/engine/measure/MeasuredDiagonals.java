package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.estimate.MeasuredModel;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Diagonals that a result's {@code statistics/} hold of tokens that ran. Files are compared with
 * their hashes and with the checkpoint when they are first read. Used by one thread; borrows the
 * checkpoint.
 */
public final class MeasuredDiagonals implements MeasuredModel.Diagonals {
  private final Path folder;
  private final SourceChain sources;
  private final StopFlag stop;
  private final OnceEach checked = new OnceEach();

  /**
   * @param result folder of a result of this checkpoint. Throws with kind USAGE where it holds no
   *     measured statistics
   */
  public MeasuredDiagonals(Path result, Checkpoint checkpoint, StopFlag stop) {
    this.folder = new ResultLayout(result).statistics();
    this.sources = new SourceChain(checkpoint);
    this.stop = stop;
    if (!Files.isRegularFile(folder.resolve(ResultLayout.tokensName()))) {
      throw new EngineException(
          FailureKind.USAGE,
          result + ": has no statistics of tokens",
          "Quantize the model with --statistics text or file:PATH first, and keep its statistics"
              + " folder.");
    }
  }

  @Override
  public Optional<double[]> of(int layer, String input) {
    Path file = folder.resolve(ResultLayout.layerName(layer));
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try (MomentReader reader = MomentReader.open(file)) {
      checked.run(layer, () -> requireOfTheModel(reader, file, layer));
      return reader.measuredDiagonal(input);
    }
  }

  private void requireOfTheModel(MomentReader reader, Path file, int layer) {
    reader.requireIntact(stop);
    if (!reader.origin().sourceSha256().equals(sources.upTo(layer, stop))) {
      throw new EngineException(
          FailureKind.USAGE,
          file + ": was measured on other weights than those of the model",
          "Name each model before its own result.");
    }
  }
}
