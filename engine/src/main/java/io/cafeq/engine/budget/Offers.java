package io.cafeq.engine.budget;

import io.cafeq.config.Method;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** All that a piece may choose from, priced. */
final class Offers {
  private Offers() {}

  /**
   * @param plain of the piece's tensors
   * @param gains of each transform that the piece may have
   */
  static List<Offer<Choice>> of(
      Piece piece, List<PlainErrors> plain, Map<BlockDiagonal, Gains> gains, GridCandidates candidates) {
    List<Offer<Choice>> offers = new ArrayList<>();
    int columns = piece.columns();
    long rows = piece.rows();
    if (plainIsAllowed(piece, gains)) {
      for (GridSpec grid : candidates.plain()) {
        Choice choice = new Choice(grid, new TransformSpec.None());
        offers.add(new Offer<>(choice, rows * grid.bitsPerRow(columns), PlainErrors.sum(plain, grid)));
      }
    }
    gains.forEach((transform, gain) -> {
      for (GridSpec grid : candidates.transformed(transform.side())) {
        GridSpec reference = candidates.grid(grid.bits(), grid.group(), candidates.reference());
        offers.add(new Offer<>(
            new Choice(grid, transform),
            rows * grid.bitsPerRow(columns) + piece.bits(transform),
            PlainErrors.sum(plain, reference) * gain.ratio(grid, columns)));
      }
    });
    return offers;
  }

  /** Methods that are named after a transform have it wherever it is possible; a stack without one is better taken apart. */
  private static boolean plainIsAllowed(Piece piece, Map<BlockDiagonal, Gains> gains) {
    Method method = piece.settings().method();
    boolean optional = method == Method.CAFEQ || method == Method.RTN || method == Method.NONE;
    return !piece.isStack() && (optional || gains.isEmpty());
  }
}
