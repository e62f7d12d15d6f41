package io.cafeq.tools.reproduce;

import java.util.List;
import java.util.function.Consumer;

/** One of the paper's tables, made again on seeded weights. */
public interface PaperTable {
  /**
   * What the figures are, what differs from the paper and why; lines without a newline at the end.
   */
  String description();

  /** All figures in order, each told to {@code each} when it is there. */
  List<Reproduced> run(Consumer<Reproduced> each);
}
