package io.cafeq.engine.export.gguf;

import java.util.List;

/**
 * A tensor of the file and where its rows come from.
 *
 * @param parts whose rows follow one another, all of as many columns
 */
record Outgoing(String name, List<Long> shape, GgufType type, List<Part> parts) {
  Outgoing {
    shape = List.copyOf(shape);
    parts = List.copyOf(parts);
  }

  /** Some rows. A vector has rows of one number. */
  sealed interface Part {
    long rows();

    int columns();

    /** Rows that change places among themselves; 0 where all keep theirs. */
    int head();
  }

  /**
   * A tensor of the result.
   *
   * @param isQuantized whether it has codes; else bytes of type {@code stored}
   * @param stored type of the bytes or of the codes
   * @param shift added to every number
   */
  record Stored(
      String tensor,
      long rows,
      int columns,
      boolean isQuantized,
      GgufType stored,
      int head,
      float shift)
      implements Part {}

  /** Numbers that follow from config.json. */
  record Numbers(List<Float> values) implements Part {
    public Numbers {
      values = List.copyOf(values);
    }

    @Override
    public long rows() {
      return values.size();
    }

    @Override
    public int columns() {
      return 1;
    }

    @Override
    public int head() {
      return 0;
    }
  }

  long weights() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  GgufTensor unplaced() {
    return new GgufTensor(name, shape, type, 0);
  }

  /**
   * Where a row goes within its head: the source turns channels j and j + n / 2 together, llama.cpp
   * channels 2j and 2j + 1.
   */
  static int placeInHead(int row, int head) {
    int half = head / 2;
    return 2 * (row % half) + row / half;
  }
}
