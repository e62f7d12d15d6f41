package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ChannelRows;
import io.cafeq.engine.transform.FoldedBiases;
import io.cafeq.engine.transform.Gram;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * One factor of a pair and what rounding it gives: h x h products, summed slab by slab. Borrows all
 * that it is given.
 */
final class PairHalf {
  private final PairFactor factor;
  private final List<double[]> biases;
  private final int h;
  private final int count;
  private final List<Integer> couplings;
  private final GridSpec grid;
  private final SlabEncoder encoder;
  private final Optional<PairInputs> inputs;
  private final boolean isLeft;
  private final StopFlag stop;

  /**
   * @param isLeft which of the factors that have inputs it is
   * @param biases for each head of the factor its bias; empty where there is none
   * @param couplings for each head of the factor the coupling, 0 to {@code count - 1}, that it
   *     takes part in
   */
  PairHalf(
      PairFactor factor,
      List<double[]> biases,
      int h,
      int count,
      List<Integer> couplings,
      GridSpec grid,
      SlabEncoder encoder,
      Optional<PairInputs> inputs,
      boolean isLeft,
      StopFlag stop) {
    this.factor = factor;
    this.biases = biases;
    this.h = h;
    this.count = count;
    this.couplings = couplings;
    this.grid = grid;
    this.encoder = encoder;
    this.inputs = inputs;
    this.isLeft = isLeft;
    this.stop = stop;
  }

  /**
   * Products of the rounded factor, positions as rows, for each coupling.
   *
   * @param self f^^T f^
   * @param cross f^^T f, f the original
   * @param outputError what the rounding's errors do to the layer's outputs; 0 without inputs
   */
  record Products(List<double[]> self, List<double[]> cross, double outputError) {}

  /**
   * What the effective errors of a rounded factor are made with, for each coupling; see {@link
   * FactorOutputs}.
   *
   * @param grams empty for the right factor
   */
  record Undoing(List<double[]> undo, List<double[]> grams) {}

  /**
   * The original factor's products.
   *
   * @param self f^T f, for each coupling
   * @param outputs mean squares of outputs; 0 without inputs
   */
  record Originals(List<double[]> self, double outputs) {}

  /**
   * @param grams as in {@link Undoing}
   */
  Originals originals(List<double[]> grams) {
    Gram gram = new Gram(h, count);
    double sum = 0;
    try (Arena arena = Arena.ofConfined()) {
      Optional<FactorOutputs> outputs = outputs(arena, new Undoing(List.of(), grams));
      FloatMatrix room = FloatMatrix.allocate(arena, factor.slabRows(), factor.columns());
      for (int first = 0; first < factor.rows(); first += factor.slabRows()) {
        FloatMatrix slab = read(room, first);
        for (int head = firstHead(first); head < endHead(first, slab); head++) {
          ChannelRows rows = channels(slab, first, head);
          gram.add(couplings.get(head), rows, rows);
        }
        if (outputs.isPresent()) {
          sum += outputs.get().norm(slab, firstHead(first));
        }
      }
    }
    return new Originals(matrices(gram), sum);
  }

  private Optional<FactorOutputs> outputs(Arena arena, Undoing undoing) {
    return inputs.map(
        known ->
            new FactorOutputs(
                known,
                arena,
                isLeft,
                h,
                factor.slabRows(),
                perHead(undoing.undo()),
                perHead(undoing.grams())));
  }

  private List<double[]> perHead(List<double[]> perCoupling) {
    return perCoupling.isEmpty() ? perCoupling : couplings.stream().map(perCoupling::get).toList();
  }

  /**
   * Rounds the factor with these blocks, one a head, and leaves nothing but the products.
   *
   * @param metric of the factor's columns
   */
  Products round(
      List<BlockTransform> blocks, InputMetric metric, RoundingRule rule, Undoing undoing) {
    Gram self = new Gram(h, count);
    Gram cross = new Gram(h, count);
    double outputError = 0;
    try (Arena arena = Arena.ofConfined()) {
      Optional<FactorOutputs> outputs = outputs(arena, undoing);
      FloatMatrix room = FloatMatrix.allocate(arena, factor.slabRows(), factor.columns());
      FloatMatrix decodedRoom = FloatMatrix.allocate(arena, factor.slabRows(), factor.columns());
      SlabBuffers buffers = new SlabBuffers(arena, grid, factor.slabRows(), factor.columns());
      for (int first = 0; first < factor.rows(); first += factor.slabRows()) {
        FloatMatrix slab = read(room, first);
        int firstHead = firstHead(first);
        int endHead = endHead(first, slab);
        SlabTransforms transforms =
            new SlabTransforms.Blocks(factor.side(), blocks.subList(firstHead, endHead));
        EncodedSlab encoded = encoder.encode(slab, grid, transforms, metric, rule, buffers);
        FloatMatrix decoded = decodedRoom.slice(0, slab.rows());
        decode(encoded, decoded);
        for (int head = firstHead; head < endHead; head++) {
          ChannelRows rounded = channels(decoded, first, head);
          self.add(couplings.get(head), rounded, rounded);
          cross.add(couplings.get(head), rounded, channels(slab, first, head));
        }
        if (outputs.isPresent()) {
          outputError += outputs.get().error(slab, decoded, firstHead);
        }
      }
    }
    return new Products(matrices(self), matrices(cross), outputError);
  }

  /**
   * The products with each head's bias as one more position, which the head's block transforms and
   * nothing rounds.
   */
  Products withBiases(Products products, List<BlockTransform> blocks) {
    if (biases.isEmpty()) {
      return products;
    }
    List<double[]> self = new ArrayList<>(products.self());
    List<double[]> cross = new ArrayList<>(products.cross());
    self.replaceAll(double[]::clone);
    cross.replaceAll(double[]::clone);
    for (int head = 0; head < couplings.size(); head++) {
      double[] bias = biases.get(head);
      double[] moved = SquareMatrices.apply(blocks.get(head).exactForward(), bias);
      SquareMatrices.addOuter(self.get(couplings.get(head)), moved, moved);
      SquareMatrices.addOuter(cross.get(couplings.get(head)), moved, bias);
    }
    return new Products(self, cross, products.outputError());
  }

  /**
   * How far the rounded other factor makes something else of the factor's biases once they are
   * transformed, in the worst head: see {@link FoldedBiases#error}. 0 without biases.
   *
   * @param other products of the other factor, rounded
   * @param originals products of the other factor as it was, for each coupling
   */
  double biasError(List<BlockTransform> blocks, Products other, List<double[]> originals) {
    double most = 0;
    for (int head = 0; head < biases.size(); head++) {
      int coupling = couplings.get(head);
      double[] bias = biases.get(head);
      double[] moved = SquareMatrices.apply(blocks.get(head).exactForward(), bias);
      FoldedBiases.Met met =
          new FoldedBiases.Met(
              other.self().get(coupling), other.cross().get(coupling), originals.get(coupling));
      most = Math.max(most, FoldedBiases.error(met, bias, moved));
    }
    return most;
  }

  /**
   * The factor's blocks, one a head, each the map and the metric of its coupling, shared by the
   * heads of a coupling; empty where one is out of the range of floats.
   */
  Optional<List<BlockTransform>> blocks(IntFunction<PairMetric> ofCoupling) {
    List<BlockTransform> shared = new ArrayList<>();
    for (int coupling = 0; coupling < count; coupling++) {
      PairMetric metric = ofCoupling.apply(coupling);
      Optional<BlockTransform> block = BlockTransform.of(0, h, metric.forward(), metric.triangle());
      if (block.isEmpty()) {
        return Optional.empty();
      }
      shared.add(block.get());
    }
    List<BlockTransform> blocks = new ArrayList<>();
    for (int head = 0; head < couplings.size(); head++) {
      blocks.add(shared.get(couplings.get(head)).at(head * h));
    }
    return Optional.of(blocks);
  }

  private FloatMatrix read(FloatMatrix room, int first) {
    stop.check();
    FloatMatrix slab = room.slice(0, Math.min(factor.slabRows(), factor.rows() - first));
    factor.read(first, slab);
    return slab;
  }

  private int firstHead(int firstRow) {
    return factor.side() == Side.OUTPUT ? firstRow / h : 0;
  }

  private int endHead(int firstRow, FloatMatrix slab) {
    return factor.side() == Side.OUTPUT ? (firstRow + slab.rows()) / h : couplings.size();
  }

  private ChannelRows channels(FloatMatrix slab, int firstRow, int head) {
    return new ChannelRows(
        slab, factor.side(), head * h - (factor.side() == Side.OUTPUT ? firstRow : 0), h);
  }

  private static void decode(EncodedSlab encoded, FloatMatrix to) {
    GridValues values = new GridValues(encoded);
    float[] row = new float[to.columns()];
    for (int i = 0; i < to.rows(); i++) {
      values.read(i, 0, row.length, row);
      MemorySegment.copy(
          row,
          0,
          to.segment(),
          ValueLayout.JAVA_FLOAT,
          (long) Float.BYTES * i * row.length,
          row.length);
    }
  }

  private List<double[]> matrices(Gram gram) {
    List<double[]> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      all.add(gram.matrix(i));
    }
    return all;
  }
}
