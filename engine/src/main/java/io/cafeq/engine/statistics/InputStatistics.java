package io.cafeq.engine.statistics;

import java.lang.foreign.Arena;
import java.util.Optional;

/**
 * The second moments of a model's matrix inputs, as far as they were taken. Safe for use by several
 * threads.
 */
public interface InputStatistics {
  /** No statistics at all. */
  InputStatistics NONE =
      new InputStatistics() {
        @Override
        public Optional<InputMoments> read(MatrixInput input, Arena arena) {
          return Optional.empty();
        }

        @Override
        public long bytes(MatrixInput input) {
          return 0;
        }
      };

  /**
   * The moments of an input, or where too few tokens reached it those of its fall-back.
   *
   * @param arena that owns what is returned
   * @return empty where nothing was taken for this input
   * @throws io.cafeq.engine.failure.EngineException with kind RESULT where what was taken is
   *     damaged
   */
  Optional<InputMoments> read(MatrixInput input, Arena arena);

  /** Native bytes that {@link #read} takes of its arena; 0 where nothing was taken or will be. */
  long bytes(MatrixInput input);
}
