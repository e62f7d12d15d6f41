package io.cafeq.engine.measure;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.ExpertMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.statistics.MomentBlocks;
import io.cafeq.engine.statistics.Shrinkage;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * The moments in a folder of files, one a layer. A file is compared with its hashes when it is
 * first read. Safe for use by several threads.
 */
public final class StoredStatistics implements InputStatistics {
  private final Path folder;
  private final IntFunction<MomentBlocks> cut;
  private final Function<String, OptionalInt> layerOf;
  private final Shrinkage shrinkage;
  private final StopFlag stop;
  private final OnceEach checked = new OnceEach();

  /**
   * @param folder whose files need not be there before they are read
   * @param cut how moments of so many channels are cut into blocks
   * @param shrinkage of what is measured
   * @param layerOf the layer of an input by its name; empty for inputs of which nothing is taken
   */
  public StoredStatistics(
      Path folder,
      IntFunction<MomentBlocks> cut,
      Shrinkage shrinkage,
      Function<String, OptionalInt> layerOf,
      StopFlag stop) {
    this.folder = folder;
    this.cut = cut;
    this.shrinkage = shrinkage;
    this.layerOf = layerOf;
    this.stop = stop;
  }

  @Override
  public Optional<InputMoments> read(MatrixInput input, Arena arena) {
    OptionalInt layer = layerOf.apply(input.name());
    if (layer.isEmpty()) {
      return Optional.empty();
    }
    try (MomentReader reader =
        MomentReader.open(folder.resolve(ResultLayout.layerName(layer.getAsInt())))) {
      checked.run(layer.getAsInt(), () -> reader.requireIntact(stop));
      return read(reader, input, arena);
    }
  }

  private Optional<InputMoments> read(MomentReader reader, MatrixInput input, Arena arena) {
    String name = input.name();
    long tokens = reader.tokens().getOrDefault(name, 0L);
    Optional<float[]> own = reader.diagonal(name);
    boolean isEstimate = own.isPresent() && tokens == 0;
    if (isEstimate || reader.hasBlocks(name) || input.fallBack().isEmpty()) {
      return shrunk(reader, name, input.channels(), arena);
    }
    if (own.isPresent() && !input.sameChannels()) {
      float[] diagonal = ExpertMoments.shrunk(own.get(), tokens);
      return Optional.of(InputMoments.ofDiagonal(name, tokens, diagonal, arena));
    }
    Optional<InputMoments> all = shrunk(reader, input.fallBack().get(), input.channels(), arena);
    if (input.sameChannels()) {
      all.ifPresent(moments -> own.ifPresent(o -> ExpertMoments.rescale(moments, o, tokens)));
    } else {
      all.ifPresent(ExpertMoments::level);
    }
    return all;
  }

  private Optional<InputMoments> shrunk(
      MomentReader reader, String name, int channels, Arena arena) {
    Optional<InputMoments> moments = reader.read(name, channels, arena);
    moments.ifPresent(shrinkage::apply);
    return moments;
  }

  /** From the shape alone, so that it is known before there is a file. */
  @Override
  public long bytes(MatrixInput input) {
    return layerOf.apply(input.name()).isPresent() ? cut.apply(input.channels()).squareBytes() : 0;
  }
}
