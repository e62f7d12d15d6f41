package io.cafeq.engine.budget;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.List;

/** All that a piece may choose from, priced. */
final class Offers {
  private Offers() {}

  /**
   * @param plain of the piece's tensors, in order
   * @param gains of each transform that the piece may have
   */
  static List<Offer<Choice>> of(
      Piece piece, List<PlainErrors> plain, List<Measured> gains, GridCandidates candidates) {
    List<Offer<Choice>> offers = new ArrayList<>();
    int columns = piece.matrix().columns();
    long rows = piece.matrix().rows();
    if (TransformCandidates.plainIsAllowed(piece.freedom())) {
      for (GridSpec grid : candidates.plain()) {
        Choice choice = new Choice(piece, grid, new TransformSpec.None());
        offers.add(new Offer<>(choice, rows * grid.bitsPerRow(columns), error(piece, plain, grid)));
      }
    }
    for (Measured measured : gains) {
      long transformBits = measured.spec().bits(rows, columns);
      for (GridSpec grid : candidates.transformed(measured.spec().side())) {
        GridSpec reference =
            new GridSpec(grid.bits(), grid.group(), candidates.reference(), grid.scaleBits(), grid.clip());
        offers.add(new Offer<>(
            new Choice(piece, grid, measured.spec()),
            rows * grid.bitsPerRow(columns) + transformBits,
            error(piece, plain, reference) * measured.gains().ratio(grid, columns)));
      }
    }
    return offers;
  }

  /** A transform with what it gains on the piece. */
  record Measured(BlockDiagonal spec, Gains gains) {}

  private static double error(Piece piece, List<PlainErrors> plain, GridSpec grid) {
    double sum = 0;
    for (int i = 0; i < plain.size(); i++) {
      sum += plain.get(i).of(grid) * piece.matrix().tensors().get(i).info().elements();
    }
    return sum;
  }
}
