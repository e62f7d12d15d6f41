package io.cafeq.engine.export.gguf;

import java.util.List;

/**
 * A tensor as a file's header has it.
 *
 * @param shape outermost dimension first, as everywhere in this program; files have it reversed
 * @param offset of its first byte from the beginning of all data, a multiple of the alignment
 */
record GgufTensor(String name, List<Long> shape, GgufType type, long offset) {
  GgufTensor {
    shape = List.copyOf(shape);
  }

  /** Weights of a row. */
  int columns() {
    return Math.toIntExact(shape.getLast());
  }

  /** Rows of all matrices together. */
  long rows() {
    return shape.subList(0, shape.size() - 1).stream().reduce(1L, Math::multiplyExact);
  }

  long rowBytes() {
    return type.bytesOf(columns());
  }

  long bytes() {
    return Math.multiplyExact(rows(), rowBytes());
  }
}
