package io.cafeq.engine.budget;

import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.quantize.StackInput;
import io.cafeq.engine.rounding.ScaledMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.transform.ColumnScales;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The input Hessians of pieces. Borrows the statistics.
 *
 * @param damping added to the diagonal of H, as a part of its mean
 */
record PieceInputs(InputStatistics statistics, MatrixInputs inputs, double damping) {
  /** What all of a piece's rows read, damped; empty where nothing is known of it. */
  Optional<InputMoments> moments(Piece piece, Arena arena) {
    return input(piece)
        .flatMap(input -> statistics.read(input, arena))
        .map(moments -> damped(moments, arena));
  }

  /** Native bytes that {@link #moments} takes of its arena. */
  long bytes(Piece piece) {
    return 2 * input(piece).map(statistics::bytes).orElse(0L);
  }

  private Optional<MatrixInput> input(Piece piece) {
    return StackInput.shared(piece.ranges(), piece.columns(), inputs);
  }

  /**
   * As if some ranges of channels, side by side, were all of the input; what they have in common
   * with others is left out. A range that crosses from one block to the next is cut there, where
   * nothing is known in common, so that this never takes more room than the whole.
   */
  static InputMoments of(InputMoments whole, List<Channels> ranges, Arena arena) {
    List<InputMoments.Block> blocks = new ArrayList<>();
    int channel = 0;
    for (Channels range : ranges) {
      for (InputMoments.Block block : whole.blocks()) {
        int first = Math.max(range.first(), block.firstChannel()) - block.firstChannel();
        int end =
            Math.min(range.first() + range.count(), block.firstChannel() + block.channels())
                - block.firstChannel();
        if (first < end) {
          blocks.add(
              new InputMoments.Block(channel, square(block.moments(), first, end - first, arena)));
          channel += end - first;
        }
      }
    }
    return new InputMoments(whole.input(), whole.tokens(), blocks);
  }

  private static FloatMatrix square(FloatMatrix moments, int first, int count, Arena arena) {
    FloatMatrix square = FloatMatrix.allocate(arena, count, count);
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < count; j++) {
        square.set(i, j, moments.get(first + i, first + j));
      }
    }
    return square;
  }

  /**
   * Scales the columns of a sample as those of the result will be, if they will, by what is known
   * of the sample, and its moments with them, both in place.
   *
   * @param moments of the sample's columns alone, damped
   */
  static void scale(Piece piece, FloatMatrix sample, InputMoments moments) {
    if (piece.scaled()) {
      double[] squares = new double[sample.columns()];
      sample.addColumnSquares(squares);
      ColumnScales scales = ColumnScales.best(moments.diagonal(0), squares);
      scales.multiply(sample, 0);
      ScaledMoments.apply(moments, 0, scales);
    }
  }

  /** Some consecutive channels. */
  record Channels(int first, int count) {}

  private InputMoments damped(InputMoments moments, Arena arena) {
    double sum = 0;
    for (InputMoments.Block block : moments.blocks()) {
      for (int i = 0; i < block.channels(); i++) {
        sum += block.moments().get(i, i);
      }
    }
    float added = (float) (damping * sum / moments.channels());
    InputMoments copy =
        of(
            moments,
            moments.blocks().stream()
                .map(block -> new Channels(block.firstChannel(), block.channels()))
                .toList(),
            arena);
    for (InputMoments.Block block : copy.blocks()) {
      for (int i = 0; i < block.channels(); i++) {
        block.moments().set(i, i, block.moments().get(i, i) + added);
      }
    }
    return copy;
  }
}
