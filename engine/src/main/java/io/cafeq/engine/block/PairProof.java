package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.FoldedBiases;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Proves a pair against the source: the products of its factors head by head, and that biases went
 * the way of their rows. Takes native memory for one head of the left factor and one piece of the
 * right one, twice.
 */
final class PairProof {
  /**
   * Squares of relative errors go into the unit's sum, which is held to {@link
   * UnitProof#TOLERANCE}.
   */
  private static final double TOLERANCE = UnitProof.TOLERANCE / 4;

  private final UnitFileReader reader;
  private final Checkpoint checkpoint;
  private final StopFlag stop;
  private final Damage damage;
  private final Coupling coupling;
  private final List<Coupling.Head> heads;
  private final int size;
  private final PairProducts products;

  PairProof(UnitFileReader reader, Checkpoint checkpoint, StopFlag stop, Coupling coupling) {
    this.reader = reader;
    this.checkpoint = checkpoint;
    this.stop = stop;
    this.coupling = coupling;
    damage = new Damage(reader.file());
    heads = coupling.heads().stream().sorted(Comparator.comparingInt(Coupling.Head::left)).toList();
    size = heads.getFirst().size();
    products = new PairProducts(size, heads.size());
  }

  /** What the pair counts in sums over weights. */
  record Outcome(double squaredError, double squaredNorm) {}

  /** Throws kind RESULT where the file does not hold what its figures say. */
  Outcome check(@Nullable UnitFigures figures) {
    try (Arena arena = Arena.ofConfined()) {
      Map<Integer, Integer> left = new HashMap<>();
      for (int i = 0; i < heads.size(); i++) {
        left.put(heads.get(i).left(), i);
      }
      rows(arena, coupling.left(), left, products::addLeft);
      switch (coupling.kind()) {
        case VALUE_OUTPUT -> columns(arena);
        case QUERY_KEY ->
            rows(
                arena,
                coupling.right(),
                rightHeads(),
                (head, original, effective) ->
                    products.addRight(head, Side.OUTPUT, 0, original, effective));
      }
      bias(coupling.leftBias(), left, true);
      bias(coupling.rightBias(), rightHeads(), false);
    }
    PairFigures said =
        figures == null
            ? null
            : figures.pairs().stream()
                .filter(
                    pair ->
                        pair.left().equals(coupling.left())
                            && pair.right().equals(coupling.right()))
                .findFirst()
                .orElse(null);
    if (said == null) {
      throw damage.of("has no figures of the pair " + coupling.left() + " and " + coupling.right());
    }
    double found = products.relativeError();
    if (!(Math.abs(found - said.result()) <= TOLERANCE * said.result() + 1e-6)) {
      throw damage.disagrees(
          "the product of "
              + coupling.left()
              + " and "
              + coupling.right()
              + ": its figures have "
              + "the relative error "
              + said.result()
              + ", measured against the source it is "
              + found);
    }
    double norm = products.weightNorm();
    if (!SlabErrors.agree(said.squaredNorm(), norm, norm)) {
      throw damage.disagrees(
          "the pair "
              + coupling.left()
              + " and "
              + coupling.right()
              + ": its figures have "
              + "the squared norm "
              + said.squaredNorm()
              + ", measured on the source it is "
              + norm);
    }
    return new Outcome(said.squaredError(found), norm);
  }

  /** First row of each right head, with the left head that it meets. */
  private Map<Integer, Integer> rightHeads() {
    Map<Integer, Integer> right = new HashMap<>();
    for (int i = 0; i < heads.size(); i++) {
      for (int first : heads.get(i).right()) {
        right.put(first, i);
      }
    }
    return right;
  }

  /** Takes all rows of one head. */
  private interface HeadConsumer {
    void accept(int head, FloatMatrix original, FloatMatrix effective);
  }

  /** Gathers the pieces of heads that are on rows. */
  private void rows(
      Arena arena, String name, Map<Integer, Integer> firstRows, HeadConsumer consumer) {
    TensorHeader tensor = reader.header().tensor(name);
    int columns = tensor.columns();
    FloatMatrix effective = FloatMatrix.allocate(arena, size, columns);
    List<Integer> firsts = firstRows.keySet().stream().sorted().toList();
    int[] next = {0};
    int[] filled = {0};
    try (SourceTensor source = SourceTensor.find(checkpoint, tensor, damage, arena)) {
      new WeightPieces(reader, arena)
          .forEach(
              name,
              (row, weights, slab) -> {
                for (int i = 0; i < weights.rows() && next[0] < firsts.size(); i++) {
                  int first = firsts.get(next[0]);
                  if (row + i != first + filled[0]) {
                    continue;
                  }
                  MemorySegment.copy(
                      weights.segment(),
                      (long) Float.BYTES * i * columns,
                      effective.segment(),
                      (long) Float.BYTES * filled[0] * columns,
                      (long) Float.BYTES * columns);
                  if (++filled[0] == size) {
                    stop.check();
                    Integer head = firstRows.get(first);
                    if (head != null) {
                      consumer.accept(head, source.rows(first, size), effective);
                    }
                    filled[0] = 0;
                    next[0]++;
                  }
                }
              });
    }
  }

  private void columns(Arena arena) {
    TensorHeader tensor = reader.header().tensor(coupling.right());
    try (SourceTensor source = SourceTensor.find(checkpoint, tensor, damage, arena)) {
      new WeightPieces(reader, arena)
          .forEach(
              coupling.right(),
              (row, weights, slab) -> {
                stop.check();
                FloatMatrix original = source.rows(row, weights.rows());
                for (int i = 0; i < heads.size(); i++) {
                  for (int first : heads.get(i).right()) {
                    products.addRight(i, Side.INPUT, first, original, weights);
                  }
                }
              });
    }
  }

  /** A transformed bias adds to what it meets what the original one added. */
  private void bias(Optional<String> name, Map<Integer, Integer> firstRows, boolean isLeft) {
    if (name.isEmpty()) {
      return;
    }
    FoldedBias bias = FoldedBias.read(reader, checkpoint, name.get());
    double error = products.relativeError();
    firstRows.forEach(
        (first, head) -> {
          double[] before = Arrays.copyOfRange(bias.original(), first, first + size);
          double[] after = Arrays.copyOfRange(bias.stored(), first, first + size);
          // Of a head that is lost among others, what it made of its bias is lost as well.
          double most = FoldedBiases.most(Math.max(error, products.relativeError(head)));
          double found =
              isLeft
                  ? products.leftBiasError(head, before, after)
                  : products.rightBiasError(head, before, after);
          if (!(found <= most)) {
            throw damage.of(
                "tensor "
                    + name.get()
                    + ", entries from "
                    + first
                    + " on: the bias was not transformed with the rows of its head");
          }
        });
  }
}
