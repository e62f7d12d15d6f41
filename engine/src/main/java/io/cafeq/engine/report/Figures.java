package io.cafeq.engine.report;

import org.jspecify.annotations.Nullable;

/** Guards and quotients shared by the records of a report. */
final class Figures {
  private Figures() {}

  /** Refuses NaN and infinity, which JSON does not have. */
  static void requireFinite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(name + " is not finite: " + value);
    }
  }

  static void requireFiniteIfThere(String name, @Nullable Double value) {
    if (value != null) {
      requireFinite(name, value);
    }
  }

  /** 0 where there are no weights. */
  static double perWeight(long bits, long weights) {
    return weights == 0 ? 0 : (double) bits / weights;
  }
}
