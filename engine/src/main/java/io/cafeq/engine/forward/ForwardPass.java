package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.tokens.Windows;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A decoder's layers over windows of tokens, one layer after the other: only its weights are read,
 * about a million at a time, and between two layers only the states [tokens, hidden] of all windows
 * are carried, in native memory or in an overflow. The results are the same bits whatever memory
 * there is.
 *
 * <p>Borrows weights and products; owns its memory and its overflow until it is closed. One thread
 * at a time. A stop, a damaged tensor and a full disk are {@link EngineException}s, after which the
 * pass is only good to be closed.
 */
public final class ForwardPass implements AutoCloseable {
  private final Decoder decoder;
  private final List<Chunk> chunks;
  private final StopFlag stop;
  private final Arena arena;
  private final ResidualStates states;
  private final Positions positions;
  private final LayerMemory memory;
  private final WindowAttention attention;
  private final RootMeanSquare lastNorm;
  private int done;

  private ForwardPass(
      Decoder decoder,
      MatrixProducts products,
      List<int[]> windows,
      PassMemory sizes,
      ResidualStates.Overflow overflow,
      StopFlag stop,
      Arena arena) {
    DecoderShape shape = decoder.shape();
    int longest = Windows.longest(windows);
    this.decoder = decoder;
    this.stop = stop;
    this.arena = arena;
    chunks = Chunk.of(windows);
    lastNorm = decoder.norm(decoder.names().norm(), shape.hidden());
    positions = new Positions(shape, arena, longest);
    memory =
        new LayerMemory(
            new WeightSlabs(decoder.weights(), arena, sizes.widest(), sizes.room(), stop),
            products,
            new Workspace(arena, sizes.workspace()),
            new Activation.Gating(shape.activation()));
    attention =
        new WindowAttention(shape, products, memory.workspace(), chunks.getFirst(), longest);
    int tokens = chunks.getLast().firstToken() + chunks.getLast().tokens();
    states =
        sizes.spilled()
            ? overflow.open(FloatMatrix.allocate(arena, sizes.chunkTokens(), shape.hidden()))
            : new KeptStates(FloatMatrix.allocate(arena, tokens, shape.hidden()));
  }

  /**
   * Looks the tokens up; {@link #layer} then goes on from there.
   *
   * @param weights borrowed until the pass is closed
   * @param windows of token ids, of any lengths; those of similar lengths take the least time and
   *     memory
   * @param memory native bytes that it may take, at least {@link #memoryNeeded}; what the weights
   *     hold is not among them
   * @param overflow where the states of all windows are kept when memory has no room for them
   * @throws EngineException where no forward pass is written for the model, memory is too small, or
   *     a token is unknown
   */
  public static ForwardPass open(
      ModelWeights weights,
      MatrixProducts products,
      List<int[]> windows,
      long memory,
      ResidualStates.Overflow overflow,
      StopFlag stop) {
    if (windows.isEmpty() || windows.stream().anyMatch(window -> window.length == 0)) {
      throw new IllegalArgumentException("a forward pass needs windows with tokens");
    }
    Decoder decoder = Decoder.of(weights);
    decoder.requireLength(Windows.longest(windows));
    Embedding.check(windows, decoder.vocabulary());
    PassMemory sizes = PassMemory.of(decoder, windows, memory);
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      ForwardPass pass = new ForwardPass(decoder, products, windows, sizes, overflow, stop, arena);
      try {
        pass.embed(windows);
        opened = true;
        return pass;
      } finally {
        if (!opened) {
          pass.states.close();
        }
      }
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  /**
   * The least native memory that a pass over windows of that length takes, however many there are.
   */
  public static long memoryNeeded(ModelWeights weights, int windowLength) {
    return PassMemory.needed(PassSizes.of(Decoder.of(weights)), windowLength);
  }

  private void embed(List<int[]> windows) {
    Shapes.require(
        decoder.weights(),
        decoder.names().embedding(),
        decoder.vocabulary(),
        decoder.shape().hidden());
    for (Chunk chunk : chunks) {
      stop.check();
      FloatMatrix fresh = states.place(chunk.firstToken(), chunk.tokens());
      int[] tokens =
          windows
              .subList(chunk.firstWindow(), chunk.firstWindow() + chunk.lengths().size())
              .stream()
              .flatMapToInt(IntStream::of)
              .toArray();
      Embedding.fill(decoder, memory.slabs(), tokens, fresh);
      states.store(chunk.firstToken(), fresh);
    }
  }

  public int layers() {
    return decoder.shape().layers().size();
  }

  /** Windows that it runs. */
  public int windows() {
    return chunks.getLast().firstWindow() + chunks.getLast().lengths().size();
  }

  /**
   * All windows through one layer.
   *
   * @param number from 0, each layer once and in order
   */
  public void layer(int number, InputObserver observer) {
    if (number != done || number >= layers()) {
      throw new IllegalStateException(
          "layer " + number + " of " + layers() + " cannot follow " + done + " layers");
    }
    memory.slabs().forget();
    DecoderLayer layer = DecoderLayer.read(decoder, number, positions.of(number));
    ObservedInputs observed = new ObservedInputs(decoder.inputs(), observer);
    for (Chunk chunk : chunks) {
      stop.check();
      attention.enter(chunk);
      FloatMatrix current = states.load(chunk.firstToken(), chunk.tokens());
      layer.apply(current, attention, memory, observed);
      states.store(chunk.firstToken(), current);
    }
    done++;
  }

  /** All layers that are left, with nobody looking. */
  public void run() {
    while (done < layers()) {
      layer(done, InputObserver.NONE);
    }
  }

  /** Hidden states after the final norm, window by window; only after all layers. */
  public void end(WindowConsumer consumer) {
    for (int window = 0; window < windows(); window++) {
      stop.check();
      long mark = memory.workspace().mark();
      consumer.window(window, end(window));
      memory.workspace().release(mark);
    }
  }

  /**
   * Hidden states [tokens, hidden] of one window after the final norm, so that two passes can be
   * followed side by side; only after all layers. Borrowed until the next call of any method.
   */
  public FloatMatrix end(int window) {
    if (done != layers()) {
      throw new IllegalStateException("only " + done + " of " + layers() + " layers are done");
    }
    Chunk chunk = chunks.get(window / chunks.getFirst().lengths().size());
    int place = window - chunk.firstWindow();
    int before = chunk.lengths().subList(0, place).stream().mapToInt(Integer::intValue).sum();
    FloatMatrix current = states.load(chunk.firstToken() + before, chunk.lengths().get(place));
    long mark = memory.workspace().mark();
    FloatMatrix normed = memory.workspace().matrix(current.rows(), current.columns());
    memory.workspace().release(mark);
    lastNorm.apply(current, normed);
    return normed;
  }

  @Override
  public void close() {
    try {
      states.close();
    } finally {
      arena.close();
    }
  }
}
