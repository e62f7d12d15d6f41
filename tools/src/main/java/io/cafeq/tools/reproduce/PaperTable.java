package io.cafeq.tools.reproduce;

import java.util.List;
import java.util.function.Consumer;

/** One of the paper's tables, reproduced on seeded weights. */
public interface PaperTable {
  /**
   * What the figures are, what differs from the paper and why; lines without a newline at the end.
   */
  String description();

  /** Measures all figures in order, and gives each to {@code each} as soon as it is known. */
  List<Reproduced> run(Consumer<Reproduced> each);
}
