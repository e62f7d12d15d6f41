package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Coupling;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Proves a pair against the source: the products of its factors head by head, and that biases went the way of their rows.
 * Takes native memory for one head of the left factor and one piece of the right one, twice.
 */
final class PairProof {
  /** Products are compared through h x h matrices of doubles, the figures come from rounding. */
  private static final double TOLERANCE = 1e-2;
  /** Rounding hides the exact map of a bias: what is meant to be found is a bias that was left as it was. */
  private static final double BIAS_TOLERANCE = 0.5;

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
        case QUERY_KEY -> rows(arena, coupling.right(), rightHeads(),
            (head, original, effective) -> products.addRight(head, Side.OUTPUT, 0, original, effective));
      }
      bias(arena, coupling.leftBias(), left, true);
      bias(arena, coupling.rightBias(), coupling.kind() == Coupling.Kind.QUERY_KEY ? rightHeads() : Map.of(), false);
    }
    PairFigures said = figures == null ? null : figures.pairs().stream()
        .filter(pair -> pair.left().equals(coupling.left()) && pair.right().equals(coupling.right()))
        .findFirst()
        .orElse(null);
    if (said == null) {
      throw damage.of("has no figures of the pair " + coupling.left() + " and " + coupling.right());
    }
    double found = products.relativeError();
    if (Math.abs(found - said.result()) > TOLERANCE * said.result() + 1e-6) {
      throw damage.of("the product of " + coupling.left() + " and " + coupling.right() + ": its figures have the relative "
          + "error " + said.result() + ", measured against the source it is " + found);
    }
    double norm = products.weightNorm();
    if (!SlabErrors.agree(said.squaredNorm(), norm, norm)) {
      throw damage.of("the pair " + coupling.left() + " and " + coupling.right() + ": its figures have the squared norm "
          + said.squaredNorm() + ", measured on the source it is " + norm);
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

  /** Gathers the pieces of heads that lie on rows. */
  private void rows(Arena arena, String name, Map<Integer, Integer> firstRows, HeadConsumer consumer) {
    TensorHeader tensor = reader.header().tensor(name);
    int columns = tensor.columns();
    FloatMatrix effective = FloatMatrix.allocate(arena, size, columns);
    List<Integer> firsts = firstRows.keySet().stream().sorted().toList();
    int[] next = {0};
    int[] filled = {0};
    try (SourceTensor source = SourceTensor.find(checkpoint, tensor, damage, arena)) {
      new WeightPieces(reader, arena).forEach(name, (row, weights, slab) -> {
        for (int i = 0; i < weights.rows() && next[0] < firsts.size(); i++) {
          int first = firsts.get(next[0]);
          if (row + i != first + filled[0]) {
            continue;
          }
          MemorySegment.copy(weights.segment(), (long) Float.BYTES * i * columns, effective.segment(),
              (long) Float.BYTES * filled[0] * columns, (long) Float.BYTES * columns);
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
      new WeightPieces(reader, arena).forEach(coupling.right(), (row, weights, slab) -> {
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

  /** What became of a bias must be near what became of the rows of its heads, and nothing of other rows. */
  private void bias(Arena arena, Optional<String> name, Map<Integer, Integer> firstRows, boolean isLeft) {
    if (name.isEmpty()) {
      return;
    }
    TensorHeader header = reader.header().tensors().stream()
        .filter(tensor -> tensor.name().equals(name.get()))
        .findFirst()
        .orElse(null);
    if (header == null || !(header.content() instanceof TensorHeader.Content.Folded)) {
      return;
    }
    MemorySegment stored = arena.allocate(Math.max(1, header.bytes()), 64).asSlice(0, header.bytes());
    reader.forEachRaw(header.name(), raw -> stored.asSlice(raw.byteOffset(), raw.bytes().byteSize()).copyFrom(raw.bytes()));
    double[] after = values(header, stored);
    MemorySegment source = arena.allocate(Math.max(1, header.bytes()), 64).asSlice(0, header.bytes());
    checkpoint.read(checkpoint.tensor(header.name()).orElseThrow(), 0, source);
    double[] before = values(header, source);
    firstRows.forEach((first, head) -> {
      double[] map = isLeft ? products.leftMap(head) : products.rightMap(head);
      double difference = 0;
      double norm = 0;
      for (int i = 0; i < size; i++) {
        double expected = 0;
        for (int j = 0; j < size; j++) {
          expected += map[i * size + j] * before[first + j];
        }
        difference += (after[first + i] - expected) * (after[first + i] - expected);
        norm += expected * expected;
      }
      if (Double.isFinite(norm) && difference > BIAS_TOLERANCE * BIAS_TOLERANCE * norm + 1e-12) {
        throw damage.of("tensor " + header.name() + ", entries from " + first
            + " on: the bias was not transformed with the rows of its head");
      }
    });
  }

  private static double[] values(TensorHeader header, MemorySegment bytes) {
    double[] values = new double[Math.toIntExact(header.elements())];
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    for (int i = 0; i < values.length; i++) {
      values[i] = switch (header.dtype()) {
        case F64 -> bytes.get(ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(order), 8L * i);
        case F32 -> bytes.get(ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(order), 4L * i);
        case F16 -> Float.float16ToFloat(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order), 2L * i));
        case BF16 -> Float.intBitsToFloat(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order), 2L * i) << 16);
        case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> Double.NaN;
      };
    }
    return values;
  }
}
