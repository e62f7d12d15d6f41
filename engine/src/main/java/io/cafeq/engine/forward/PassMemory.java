package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.tokens.Windows;
import java.util.List;

/**
 * What a forward pass does with the memory it gets.
 *
 * @param workspace bytes for what a layer computes on the way
 * @param room bytes for weights that are kept from chunk to chunk
 * @param spilled whether the states of all windows are in a file
 * @param chunkTokens most tokens of a chunk
 * @param widest columns of the widest matrix
 */
record PassMemory(long workspace, long room, boolean spilled, int chunkTokens, int widest) {
  /** Throws where it is not enough. */
  static PassMemory of(Decoder decoder, List<int[]> windows, long memory) {
    PassSizes sizes = PassSizes.of(decoder);
    int longest = Windows.longest(windows);
    long needed = needed(sizes, longest);
    if (memory < needed) {
      throw new EngineException(
          FailureKind.USAGE,
          "a forward pass over windows of %,d tokens takes at least %,d bytes, there are %,d"
              .formatted(longest, needed, memory),
          "Give more with --max-memory.");
    }
    List<Chunk> chunks = Chunk.of(windows);
    long all = (long) chunks.getLast().firstToken() + chunks.getLast().tokens();
    long carried = Workspace.bytes(all, decoder.shape().hidden());
    int chunkTokens = Chunk.mostTokens(longest);
    long rest = memory - needed + Workspace.bytes(chunkTokens, decoder.shape().hidden());
    boolean spilled =
        isSpilled(carried, memory - needed, rest, sizes.largestLayer(), chunks.size() - 1);
    long room = Math.min(sizes.largestLayer(), spilled ? memory - needed : rest - carried);
    return new PassMemory(workspace(sizes, longest), room, spilled, chunkTokens, sizes.widest());
  }

  /**
   * The least for windows of a length: the states of one chunk, what is computed on the way, one
   * slab.
   */
  static long needed(PassSizes sizes, int longest) {
    return workspace(sizes, longest)
        + Workspace.bytes(Chunk.mostTokens(longest), sizes.decoder().shape().hidden())
        + Positions.bytes(sizes.decoder().shape(), longest)
        + WeightSlabs.scratchBytes(sizes.widest())
        + WeightSlabs.LEAST_ROOM;
  }

  private static long workspace(PassSizes sizes, int longest) {
    return sizes.workspace(Chunk.mostTokens(longest), Workspace.bytes(longest, longest));
  }

  /**
   * Where both do not fit, what moves fewer bytes: weights read again for each chunk, or states to
   * and fro.
   */
  private static boolean isSpilled(
      long carried, long roomSpilled, long rest, long layer, long readings) {
    if (carried > rest) {
      return true;
    }
    long gained = Math.min(layer, roomSpilled) - Math.min(layer, rest - carried);
    return gained > 0 && (double) gained * readings > 2.0 * carried;
  }
}
