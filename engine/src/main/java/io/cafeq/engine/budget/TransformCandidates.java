package io.cafeq.engine.budget;

import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal.Kind;
import java.util.ArrayList;
import java.util.List;

/** The transforms among which a matrix, or a stack of matrices with one input, may choose. */
final class TransformCandidates {
  private static final int LEAST_BLOCK = 8;
  private static final int LARGEST_BLOCK = 256;
  private static final int LARGEST_HADAMARD = 1024;
  /** No transform saves as much as this many bits a weight. */
  private static final double MOST_BITS = 0.7;

  private TransformCandidates() {}

  /** Whether plain rounding is a choice. */
  static boolean plainIsAllowed(Freedom freedom) {
    return switch (freedom.method()) {
      case CAFEQ, RTN, NONE -> true;
      case ROTATION, HADAMARD -> false;
    };
  }

  /** The output side would take a stack apart, so a stack has the input side only. */
  static List<BlockDiagonal> of(Piece piece) {
    List<BlockDiagonal> specs = new ArrayList<>();
    Freedom freedom = piece.freedom();
    switch (freedom.method()) {
      case RTN, NONE -> {}
      case CAFEQ -> add(piece, Kind.LEARNED, LARGEST_BLOCK, LEAST_BLOCK, specs);
      case ROTATION -> add(piece, Kind.ROTATION, LARGEST_BLOCK, LEAST_BLOCK, specs);
      case HADAMARD -> add(piece, Kind.HADAMARD, LARGEST_HADAMARD, LARGEST_HADAMARD, specs);
    }
    return specs;
  }

  private static List<Side> sides(Piece piece) {
    if (piece.isShared()) {
      return List.of(Side.INPUT);
    }
    boolean sharingIsCheaper = piece.couldShare() && piece.freedom().side().isEmpty();
    return sharingIsCheaper ? List.of(Side.OUTPUT) : List.of(Side.INPUT, Side.OUTPUT);
  }

  private static void add(Piece piece, Kind kind, int largest, int least, List<BlockDiagonal> specs) {
    Freedom freedom = piece.freedom();
    TransformStorage storage = freedom.storage().orElse(TransformStorage.INT8);
    for (Side side : sides(piece)) {
      if (freedom.side().isPresent() && freedom.side().get() != side) {
        continue;
      }
      int channels = side == Side.INPUT ? piece.matrix().columns() : piece.matrix().rows();
      int most = Math.min(Integer.highestOneBit(channels), largest);
      if (freedom.block().isPresent()) {
        int block = Math.min(freedom.block().getAsInt(), most);
        if (block >= LEAST_BLOCK) {
          specs.add(new BlockDiagonal(kind, side, block, storage));
        }
        continue;
      }
      // on the input side blocks of 8 gain next to nothing
      int smallest = side == Side.INPUT ? 2 * LEAST_BLOCK : LEAST_BLOCK;
      for (int block = Math.min(most, Math.max(least, smallest)); block >= LEAST_BLOCK && block <= most; block *= 2) {
        BlockDiagonal spec = new BlockDiagonal(kind, side, block, storage);
        boolean required = !plainIsAllowed(freedom);
        if (required || spec.bits(piece.matrix().rows(), piece.matrix().columns()) <= MOST_BITS * piece.matrix().weights()) {
          specs.add(spec);
        }
      }
    }
  }
}
