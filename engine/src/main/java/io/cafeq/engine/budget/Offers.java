package io.cafeq.engine.budget;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * All that a piece may choose from, priced, without what is beaten by something else; but whole
 * where the choice must be that of other pieces too.
 */
final class Offers {
  private Offers() {}

  /**
   * @param plain of the piece's tensors
   * @param gains of each transform that the piece may have
   */
  static List<Offer<Choice>> of(
      Piece piece,
      List<PlainErrors> plain,
      Map<BlockDiagonal, Gains> gains,
      GridCandidates candidates) {
    List<Offer<Choice>> all =
        choices(piece, List.copyOf(gains.keySet()), candidates).stream()
            .map(
                choice ->
                    new Offer<>(
                        choice, piece.bits(choice), error(piece, plain, gains, candidates, choice)))
            .toList();
    return piece.settings().fused().isPresent() ? all : Offer.undominated(all);
  }

  /** The same without prices. */
  static List<Choice> choices(
      Piece piece, List<BlockDiagonal> transforms, GridCandidates candidates) {
    List<Choice> choices = new ArrayList<>();
    if (plainIsAllowed(piece, transforms)) {
      candidates.plain().forEach(grid -> choices.add(new Choice(grid, new TransformSpec.None())));
    }
    for (BlockDiagonal transform : transforms) {
      candidates
          .transformed(transform.side())
          .forEach(grid -> choices.add(new Choice(grid, transform)));
    }
    return choices;
  }

  private static double error(
      Piece piece,
      List<PlainErrors> plain,
      Map<BlockDiagonal, Gains> gains,
      GridCandidates candidates,
      Choice choice) {
    GridSpec grid = choice.grid();
    return switch (choice.transform()) {
      case TransformSpec.None none -> PlainErrors.sum(plain, grid) * candidates.plainShare();
      case BlockDiagonal transform -> {
        GridSpec reference = candidates.grid(grid.bits(), grid.group(), candidates.reference());
        Gains gain = Objects.requireNonNull(gains.get(transform));
        yield PlainErrors.sum(plain, reference) * gain.ratio(grid, piece.columns());
      }
    };
  }

  /**
   * Methods that are named after a transform have it wherever it is possible; a stack without one
   * is better split.
   */
  private static boolean plainIsAllowed(Piece piece, List<BlockDiagonal> transforms) {
    return (!piece.isStack() || piece.settings().foldsScales())
        && (transforms.isEmpty()
            || switch (piece.settings().method()) {
              case CAFEQ, RTN, NONE -> true;
              case ROTATION, HADAMARD -> false;
            });
  }
}
