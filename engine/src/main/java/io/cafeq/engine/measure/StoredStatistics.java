package io.cafeq.engine.measure;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.statistics.MomentBlocks;
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
  private final StopFlag stop;
  private final OnceEach checked = new OnceEach();

  /**
   * @param folder whose files need not be there before they are read
   * @param cut how moments of so many channels are cut into blocks
   * @param layerOf the layer of an input by its name; empty for inputs of which nothing is taken
   */
  public StoredStatistics(
      Path folder,
      IntFunction<MomentBlocks> cut,
      Function<String, OptionalInt> layerOf,
      StopFlag stop) {
    this.folder = folder;
    this.cut = cut;
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
      String name = reader.has(input.name()) ? input.name() : input.fallBack().orElse(input.name());
      return reader.read(name, input.channels(), arena);
    }
  }

  /** From the shape alone, so that it is known before there is a file. */
  @Override
  public long bytes(MatrixInput input) {
    return layerOf.apply(input.name()).isPresent() ? cut.apply(input.channels()).squareBytes() : 0;
  }
}
