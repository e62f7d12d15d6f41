package io.cafeq.engine.quantize;

import io.cafeq.engine.compute.BlockMaker;
import io.cafeq.engine.compute.Learning;
import io.cafeq.engine.transform.BlockTransform;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.Queue;

/**
 * Blocks of a transform in the order of their channels: asked for together, taken one after the
 * other. Owns the learner's batch; not thread-safe.
 */
final class BlockQueue implements AutoCloseable {
  private final BlockMaker maker;
  private final Queue<BlockMaker.Wanted> wanted;
  private final Optional<Learning> learning;

  private BlockQueue(
      BlockMaker maker, List<BlockMaker.Wanted> wanted, Optional<Learning> learning) {
    this.maker = maker;
    this.wanted = new ArrayDeque<>(wanted);
    this.learning = learning;
  }

  /** Asks the learner for all. */
  static BlockQueue learned(BlockMaker maker, List<BlockMaker.Wanted> wanted) {
    return new BlockQueue(maker, wanted, Optional.of(maker.submit(wanted)));
  }

  /** Draws each when it is taken. */
  static BlockQueue random(BlockMaker maker, List<BlockMaker.Wanted> wanted) {
    return new BlockQueue(maker, wanted, Optional.empty());
  }

  boolean isEmpty() {
    return wanted.isEmpty();
  }

  /** Waits for the next ones that were to be learned together. */
  List<BlockTransform> next() {
    BlockMaker.Wanted next = wanted.remove();
    return learning.isPresent()
        ? maker.take(learning.get(), next)
        : maker.random(next.firstChannel(), next.shape().sizes());
  }

  @Override
  public void close() {
    learning.ifPresent(Learning::close);
  }
}
