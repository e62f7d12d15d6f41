package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.memory.Magnitudes;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.rounding.PairHeads;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The heads of a pair in the order in which its factors have them. */
final class PairShape {
  private final Part.Pair pair;
  private final List<Coupling.Head> heads;

  /** First channels of the right heads in rising order, and whose group each is of. */
  private final List<int[]> right = new ArrayList<>();

  private final PairScales scales;

  private PairShape(Part.Pair pair, PairScales scales) {
    this.pair = pair;
    this.scales = scales;
    heads =
        pair.coupling().heads().stream()
            .sorted(Comparator.comparingInt(Coupling.Head::left))
            .toList();
    for (int i = 0; i < heads.size(); i++) {
      for (int first : heads.get(i).right()) {
        right.add(new int[] {first, i});
      }
    }
    right.sort(Comparator.comparingInt(head -> head[0]));
  }

  /** Reads both factors once to see how large they are. */
  static PairShape of(Part.Pair pair, TensorReader reader, StopFlag stop) {
    PairShape asIs = new PairShape(pair, PairScales.ORDINARY);
    int left = Magnitudes.exponent(asIs.left(reader).largest(stop));
    int right = Magnitudes.exponent(asIs.right(reader).largest(stop));
    return new PairShape(pair, PairScales.of(left, right, pair.treatment().isReversed()));
  }

  /** Of the factors that it gives. */
  PairScales scales() {
    return scales;
  }

  /** Channels of a head. */
  int size() {
    return heads.getFirst().size();
  }

  /** Left heads in order. */
  List<Coupling.Head> heads() {
    return heads;
  }

  PairHeads couplings() {
    return new PairHeads(size(), right.stream().map(head -> head[1]).toList());
  }

  StoredFactor left(TensorReader reader) {
    return StoredFactor.rows(
        reader,
        pair.left().weight(),
        scales.left(),
        size(),
        heads.stream().map(Coupling.Head::left).toList());
  }

  StoredFactor right(TensorReader reader) {
    return switch (pair.coupling().kind()) {
      case VALUE_OUTPUT ->
          StoredFactor.columns(reader, pair.right().weight(), scales.right(), size());
      case QUERY_KEY ->
          StoredFactor.rows(
              reader,
              pair.right().weight(),
              scales.right(),
              size(),
              right.stream().map(head -> head[0]).toList());
    };
  }

  /** First channels (columns, or rows of the tensor) of the right heads in the factor's order. */
  List<Integer> rightChannels() {
    return right.stream().map(head -> head[0]).toList();
  }
}
