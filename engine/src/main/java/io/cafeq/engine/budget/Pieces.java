package io.cafeq.engine.budget;

import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.plan.PlannedTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The pieces that clusters can be divided into. */
final class Pieces {
  private Pieces() {}

  /** One for each matrix. */
  static List<Piece> apart(Cluster.Matrices matrices) {
    boolean sharable = matrices.members().size() > 1;
    return matrices.members().stream()
        .map(
            member ->
                new Piece(
                    member.rows(), matrices.settings(), sharable, matrices.settings().isScaled()))
        .toList();
  }

  /** Whether each matrix may be by itself; several that have column scales in common may not. */
  static boolean isApart(Cluster.Matrices matrices) {
    return matrices.members().size() < 2 || !matrices.settings().foldsScales();
  }

  /** All matrices as one, where there are several. */
  static Optional<Piece> together(Cluster.Matrices matrices) {
    if (matrices.members().size() < 2) {
      return Optional.empty();
    }
    List<RowRange> rows =
        matrices.members().stream().flatMap(member -> member.rows().stream()).toList();
    return Optional.of(new Piece(rows, matrices.settings(), true, matrices.settings().isScaled()));
  }

  /** The matrices that were put together. */
  static List<Piece> members(Piece stack) {
    Map<PlannedTensor, List<RowRange>> byTensor = new LinkedHashMap<>();
    stack
        .ranges()
        .forEach(
            range -> byTensor.computeIfAbsent(range.tensor(), key -> new ArrayList<>()).add(range));
    return byTensor.values().stream()
        .map(rows -> new Piece(rows, stack.settings(), true, stack.scaled()))
        .toList();
  }

  /** The rows of a pair's left matrix. */
  static Piece left(Cluster.Coupled pair) {
    List<RowRange> rows =
        pair.coupling().heads().stream()
            .map(head -> new RowRange(pair.left(), head.left(), head.size()))
            .toList();
    return new Piece(rows, pair.leftSettings(), false, false);
  }

  /** The rows of a pair's right matrix: all, or those of the query heads. */
  static Piece right(Cluster.Coupled pair) {
    List<RowRange> rows =
        switch (pair.coupling().kind()) {
          case VALUE_OUTPUT ->
              List.of(new RowRange(pair.right(), 0, pair.right().weight().allRows()));
          case QUERY_KEY ->
              pair.coupling().heads().stream()
                  .flatMap(
                      head ->
                          head.right().stream()
                              .map(first -> new RowRange(pair.right(), first, head.size())))
                  .toList();
        };
    return new Piece(rows, pair.rightSettings(), false, false);
  }

  /** Pairs of the same kind, in different layers, gain alike. */
  static PairKind kind(Cluster.Coupled pair) {
    Piece left = left(pair);
    Piece right = right(pair);
    Coupling.Head head = pair.coupling().heads().getFirst();
    return new PairKind(
        pair.coupling().kind(), left.kind(), right.kind(), head.size(), head.right().size());
  }

  record PairKind(Coupling.Kind kind, Piece.Kind left, Piece.Kind right, int size, int queries) {}
}
