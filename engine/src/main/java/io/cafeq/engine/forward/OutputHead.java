package io.cafeq.engine.forward;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The matrix [vocabulary, hidden] that makes logits of last states, tied embeddings or one of its
 * own, in slabs of about a million weights: logits [tokens, some entries], never [tokens,
 * vocabulary]. A model's cap on logits is applied. Two heads of one shape have the same slabs.
 *
 * <p>Borrows weights and products, owns its memory; one thread at a time.
 */
public final class OutputHead implements AutoCloseable {
  private static final int TILE = 4096;

  /** Takes the logits of one slab of the vocabulary. */
  @FunctionalInterface
  public interface SlabConsumer {
    /**
     * @param firstEntry of the vocabulary, that of the first column
     * @param logits [tokens, entries], borrowed until the call returns
     */
    void slab(int firstEntry, FloatMatrix logits);
  }

  private final MatrixProducts products;
  private final Arena arena;
  private final WeightSlabs slabs;
  private final String tensor;
  private final MemorySegment memory;
  private final int vocabulary;
  private final int hidden;
  private final double cap;
  private final double[] tile = new double[TILE];

  private OutputHead(
      Decoder decoder, MatrixProducts products, int tokens, long room, StopFlag stop, Arena arena) {
    this.products = products;
    this.arena = arena;
    decoder.requireHead();
    tensor = decoder.head();
    hidden = decoder.shape().hidden();
    vocabulary = decoder.vocabulary();
    cap = decoder.shape().vocabulary().logitCap();
    slabs = new WeightSlabs(decoder.weights(), arena, hidden, room, stop);
    memory = arena.allocate(logitBytes(tokens, hidden), 64);
  }

  /**
   * @param tokens most rows of states at a time
   * @throws io.cafeq.engine.failure.EngineException where no forward pass is written for the model
   */
  public static OutputHead open(
      ModelWeights weights, MatrixProducts products, int tokens, StopFlag stop) {
    return open(Decoder.of(weights), products, tokens, 0, stop);
  }

  /** A head whose weights are kept after the first use. */
  static OutputHead openKept(Decoder decoder, MatrixProducts products, int tokens, StopFlag stop) {
    return open(decoder, products, tokens, room(decoder), stop);
  }

  private static OutputHead open(
      Decoder decoder, MatrixProducts products, int tokens, long room, StopFlag stop) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      OutputHead head = new OutputHead(decoder, products, tokens, room, stop, arena);
      opened = true;
      return head;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  /** Native bytes that a head takes. */
  public static long memoryNeeded(ModelWeights weights, int tokens) {
    return bytes(Decoder.of(weights), tokens);
  }

  /** Native bytes of a head whose weights are kept. */
  static long keptBytes(Decoder decoder, int tokens) {
    return bytes(decoder, tokens) + room(decoder);
  }

  private static long bytes(Decoder decoder, int tokens) {
    int hidden = decoder.shape().hidden();
    return WeightSlabs.scratchBytes(hidden) + WeightSlabs.LEAST_ROOM + logitBytes(tokens, hidden);
  }

  private static long room(Decoder decoder) {
    return WeightSlabs.keptBytes(decoder.weights().rows(decoder.head()), decoder.shape().hidden());
  }

  private static long logitBytes(int tokens, int hidden) {
    return Workspace.bytes(tokens, WeightSlabs.slabRows(hidden));
  }

  /** Where single rows of the matrix may be found in memory. */
  WeightSlabs rows() {
    return slabs;
  }

  /** Entries of the vocabulary. */
  public int vocabulary() {
    return vocabulary;
  }

  public int slabs() {
    return Math.ceilDiv(vocabulary, WeightSlabs.slabRows(hidden));
  }

  /** The first entry of a slab's. */
  public int firstEntry(int slab) {
    return slab * WeightSlabs.slabRows(hidden);
  }

  /**
   * Logits [tokens, entries of the slab], borrowed until the next call.
   *
   * @param states [tokens, hidden] after the final norm
   */
  public FloatMatrix logits(int slab, FloatMatrix states) {
    FloatMatrix rows = slabs.slab(tensor, firstEntry(slab));
    FloatMatrix logits =
        new FloatMatrix(
            memory.asSlice(0, (long) states.rows() * rows.rows() * Float.BYTES),
            states.rows(),
            rows.rows());
    products.timesTransposed(states, rows, logits);
    if (cap != 0) {
      applyCap(logits);
    }
    return logits;
  }

  /** All slabs in order. */
  public void forEachSlab(FloatMatrix states, SlabConsumer consumer) {
    for (int slab = 0; slab < slabs(); slab++) {
      consumer.slab(firstEntry(slab), logits(slab, states));
    }
  }

  private void applyCap(FloatMatrix logits) {
    for (long done = 0; done < logits.elements(); done += TILE) {
      int count = (int) Math.min(TILE, logits.elements() - done);
      for (int i = 0; i < count; i++) {
        tile[i] = logits.segment().getAtIndex(ValueLayout.JAVA_FLOAT, done + i);
      }
      SoftmaxRows.capped(tile, count, cap);
      for (int i = 0; i < count; i++) {
        logits.segment().setAtIndex(ValueLayout.JAVA_FLOAT, done + i, (float) tile[i]);
      }
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
