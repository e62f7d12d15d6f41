package io.cafeq.engine.rounding;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Which heads of the two factors meet: each left head (keys and values) has one transform, and all
 * right heads (queries and outputs) of its group take part in it.
 *
 * @param size channels of a head, h
 * @param leftOfRight for each right head in the order of its factor's channels, the left head that
 *     it meets
 */
public record PairHeads(int size, List<Integer> leftOfRight) {
  public PairHeads {
    leftOfRight = List.copyOf(leftOfRight);
  }

  /** One head on each side. */
  public static PairHeads single(int size) {
    return new PairHeads(size, List.of(0));
  }

  /** Left heads. */
  public int count() {
    return leftOfRight.stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
  }

  /** For each left head, itself. */
  List<Integer> leftOfLeft() {
    return IntStream.range(0, count()).boxed().toList();
  }
}
