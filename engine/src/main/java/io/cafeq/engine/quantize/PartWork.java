package io.cafeq.engine.quantize;

import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One part of a unit on its way into the unit's file. */
interface PartWork extends AutoCloseable {
  /**
   * Asks the learner for what the part will need, as far as that is known before the parts in front
   * of it are done. Called once, before {@link #write}.
   */
  void begin();

  /** Takes what was learned, rounds and writes all rows of the part. */
  Outcome write(UnitFileWriter writer);

  /** Gives up what was asked of the learner. */
  @Override
  void close();

  /**
   * What became of a part.
   *
   * @param outputNorm mean square of the original outputs, summed over rows; null without
   *     statistics. That of a pair is the right matrix's, and its output errors are half the sum of
   *     both matrices' squared relative ones times it
   * @param result of what was written
   * @param plain null where it was not asked for, like the next two
   * @param pair figures of a pair; null for stacks
   * @param fallBack what is to be written in place of the part, since plain rounding came out
   *     better
   */
  record Outcome(
      long weights,
      double squaredNorm,
      @Nullable Double outputNorm,
      ErrorFigures result,
      @Nullable ErrorFigures plain,
      @Nullable ErrorFigures plainClipped,
      @Nullable ErrorFigures plainEqualBits,
      @Nullable PairFigures pair,
      Optional<Part> fallBack) {}
}
