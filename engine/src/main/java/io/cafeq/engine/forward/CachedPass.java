package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A decoder that goes through several windows one token at a time, all windows together: every
 * matrix stays in native memory as floats, keys and values of earlier tokens are cached. Borrows
 * weights and products, owns its memory; not thread-safe.
 */
final class CachedPass implements AutoCloseable {
  private final Decoder decoder;
  private final Arena arena;
  private final LayerMemory memory;
  private final CachedAttention attention;
  private final List<DecoderLayer> layers;
  private final RootMeanSquare lastNorm;
  private final ObservedInputs observed;
  private final OutputHead head;
  private final FloatMatrix states;
  private final FloatMatrix logits;
  private final int length;
  private int position;

  private CachedPass(
      Decoder decoder,
      MatrixProducts products,
      int windows,
      int length,
      StopFlag stop,
      Arena arena,
      OutputHead head) {
    DecoderShape shape = decoder.shape();
    PassSizes sizes = PassSizes.of(decoder);
    this.decoder = decoder;
    this.arena = arena;
    this.length = length;
    this.head = head;
    memory =
        new LayerMemory(
            new WeightSlabs(decoder.weights(), arena, sizes.widest(), sizes.allLayers(), stop),
            products,
            new Workspace(arena, workspace(sizes, windows, length)),
            new Activation.Gating(shape.activation()));
    attention = new CachedAttention(shape, products, memory.workspace(), arena, windows, length);
    Positions positions = new Positions(shape, arena, length);
    layers =
        IntStream.range(0, shape.layers().size())
            .mapToObj(layer -> DecoderLayer.read(decoder, layer, positions.of(layer)))
            .toList();
    lastNorm = decoder.norm(decoder.names().norm(), shape.hidden());
    observed = new ObservedInputs(decoder.inputs(), InputObserver.NONE);
    states = FloatMatrix.allocate(arena, windows, shape.hidden());
    logits = FloatMatrix.allocate(arena, windows, head.vocabulary());
  }

  /** Throws an {@link EngineException} of kind USAGE where memory is too small. */
  static CachedPass open(
      ModelWeights weights,
      MatrixProducts products,
      int windows,
      int length,
      long memory,
      StopFlag stop) {
    Decoder decoder = Decoder.of(weights);
    decoder.requireLength(length);
    long needed = needed(decoder, windows, length);
    if (memory < needed) {
      throw new EngineException(
          FailureKind.USAGE,
          "writing %,d texts of %,d tokens with this model takes %,d bytes, there are %,d"
              .formatted(windows, length, needed, memory),
          "Use --statistics text or random, which read one layer at a time, or give more with"
              + " --max-memory.");
    }
    Arena arena = Arena.ofShared();
    OutputHead head = null;
    boolean opened = false;
    try {
      head = OutputHead.openKept(decoder, products, windows, stop);
      CachedPass pass = new CachedPass(decoder, products, windows, length, stop, arena, head);
      opened = true;
      return pass;
    } finally {
      if (!opened) {
        arena.close();
        if (head != null) {
          head.close();
        }
      }
    }
  }

  /** Native bytes that it takes. */
  static long needed(Decoder decoder, int windows, int length) {
    DecoderShape shape = decoder.shape();
    PassSizes sizes = PassSizes.of(decoder);
    return OutputHead.keptBytes(decoder, windows)
        + WeightSlabs.scratchBytes(sizes.widest())
        + WeightSlabs.LEAST_ROOM
        + sizes.allLayers()
        + workspace(sizes, windows, length)
        + CachedAttention.bytes(shape, windows, length)
        + Positions.bytes(shape, length)
        + Workspace.bytes(windows, shape.hidden())
        + Workspace.bytes(windows, decoder.weights().rows(decoder.head()));
  }

  private static long workspace(PassSizes sizes, int windows, int length) {
    return sizes.workspace(
        windows, Workspace.bytes(sizes.decoder().shape().attention().group(), length));
  }

  int vocabulary() {
    return head.vocabulary();
  }

  /**
   * The logits [windows, vocabulary] of what follows, borrowed until the next step.
   *
   * @param tokens the next token of each window
   */
  FloatMatrix step(int[] tokens) {
    if (position == length || tokens.length != states.rows()) {
      throw new IllegalStateException(
          "%d tokens at position %d do not fit %d windows of %d"
              .formatted(tokens.length, position, states.rows(), length));
    }
    Embedding.check(List.of(tokens), decoder.vocabulary());
    Embedding.fill(decoder, head.rows(), tokens, states);
    attention.enter(position);
    layers.forEach(layer -> layer.apply(states, attention, memory, observed));
    lastNorm.apply(states, states);
    head.forEachSlab(
        states,
        (first, slab) -> {
          for (int window = 0; window < slab.rows(); window++) {
            Rows.copy(slab, window, logits, window, first);
          }
        });
    position++;
    return logits;
  }

  @Override
  public void close() {
    try {
      head.close();
    } finally {
      arena.close();
    }
  }
}
