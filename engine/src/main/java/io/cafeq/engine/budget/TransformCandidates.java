package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.config.Side;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.plan.TreatmentLimits;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The transforms among which a piece may choose. They are stored as int8 where that is free: bf16
 * takes twice the bits for less than what a larger block in int8 gains.
 */
final class TransformCandidates {
  /** No transform saves this many bits per weight. */
  private static final double MOST_BITS = 0.7;

  private TransformCandidates() {}

  /** Empty where no transform is possible. */
  static List<BlockDiagonal> of(Piece piece, Recipe recipe) {
    List<BlockDiagonal> specs = new ArrayList<>();
    Optional<Kind> kind =
        TreatmentLimits.kind(piece.settings(), piece.ranges().getFirst().tensor().info());
    if (kind.isPresent()) {
      for (Side side : sides(piece)) {
        add(piece, kind.get(), side, recipe, specs);
      }
    }
    return specs;
  }

  /**
   * The output side would split a stack; on the input side a stack pays once for what its members
   * pay each.
   */
  private static List<Side> sides(Piece piece) {
    if (piece.settings().side().isPresent()) {
      Side side = piece.settings().side().get();
      return piece.isStack() && side == Side.OUTPUT ? List.of() : List.of(side);
    }
    if (piece.isStack()) {
      return List.of(Side.INPUT);
    }
    return piece.sharable() ? List.of(Side.OUTPUT) : List.of(Side.INPUT, Side.OUTPUT);
  }

  private static void add(
      Piece piece, Kind kind, Side side, Recipe recipe, List<BlockDiagonal> specs) {
    int channels =
        switch (side) {
          case INPUT -> piece.columns();
          case OUTPUT -> piece.ranges().stream().mapToInt(RowRange::count).min().orElseThrow();
        };
    int most = TreatmentLimits.largestBlock(kind, channels);
    int least =
        switch (kind) {
          // blocks of 8 on the input side gain next to nothing
          case LEARNED ->
              side == Side.INPUT ? 2 * TreatmentLimits.LEAST_BLOCK : TreatmentLimits.LEAST_BLOCK;
          // larger rotations only cost more, and signs cost the same at any size
          case ROTATION -> TreatmentLimits.LEAST_BLOCK;
          case HADAMARD -> Math.max(most, TreatmentLimits.LEAST_BLOCK);
        };
    if (piece.settings().block().isPresent()) {
      int block = Math.min(piece.settings().block().getAsInt(), most);
      least = Math.max(block, TreatmentLimits.LEAST_BLOCK);
      most = block;
    }
    for (int block = least; block <= most; block *= 2) {
      BlockDiagonal spec = new BlockDiagonal(kind, side, block, recipe.transform().usualStorage());
      boolean asked = kind != Kind.LEARNED || piece.settings().block().isPresent();
      if (asked || piece.bits(spec) <= MOST_BITS * piece.weights()) {
        specs.add(spec);
      }
    }
  }
}
