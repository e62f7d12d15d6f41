package io.cafeq.engine.checkpoint;

import java.util.List;

/** The layouts of {@link WeightLayout} by name, and what they make of a stored shape. */
public enum LayoutKind {
  /** [out, in] or [experts, out, in]. */
  PLAIN("plain"),
  /** [in, out] or [experts, in, out]. */
  TRANSPOSED("transposed"),
  /** [out, in] with a scale for each tile. */
  TILED("tiled"),
  /** MXFP4: [experts, out, in / 32, 16]. */
  MICRO_SCALED("micro-scaled"),
  /**
   * Other quantized weights [out, in] or [experts, out, in], whose stored shape does not tell
   * theirs.
   */
  SCALED("scaled"),
  /** The same, stored as [in, out] or [experts, in, out]. */
  SCALED_TRANSPOSED("scaled-transposed");

  private final String text;

  LayoutKind(String text) {
    this.text = text;
  }

  /** The name in result files. */
  public String text() {
    return text;
  }

  /** Whether the matrices are stored as [in, out]. */
  public boolean isTransposed() {
    return this == TRANSPOSED || this == SCALED_TRANSPOSED;
  }

  /**
   * Whether result files give the shape of the weights, since it does not follow from the stored
   * one.
   */
  public boolean statesShape() {
    return this == SCALED || this == SCALED_TRANSPOSED;
  }

  /** Whether another program quantized the weights. */
  public boolean isQuantized() {
    return switch (this) {
      case PLAIN, TRANSPOSED -> false;
      case TILED, MICRO_SCALED, SCALED, SCALED_TRANSPOSED -> true;
    };
  }

  /** Whether a shape of that many dimensions can have this layout. */
  public boolean accepts(int dimensions) {
    return switch (this) {
      case PLAIN, TRANSPOSED, SCALED, SCALED_TRANSPOSED -> dimensions == 2 || dimensions == 3;
      case TILED -> dimensions == 2;
      case MICRO_SCALED -> dimensions == 4;
    };
  }

  /** Whether there is a dimension for experts. */
  public boolean isStack(List<Long> shape) {
    return shape.size() > 2;
  }

  /** Number of matrices. */
  public long experts(List<Long> shape) {
    return isStack(shape) ? shape.getFirst() : 1;
  }

  /**
   * Output channels of one matrix; {@code shape} is the stored one, or that of the weights where it
   * is stated.
   */
  public long rows(List<Long> shape) {
    return switch (this) {
      case PLAIN, TILED, SCALED, SCALED_TRANSPOSED -> shape.get(shape.size() - 2);
      case TRANSPOSED -> shape.getLast();
      case MICRO_SCALED -> shape.get(1);
    };
  }

  /**
   * Input channels of one matrix; {@code shape} is the stored one, or that of the weights where it
   * is stated.
   */
  public long columns(List<Long> shape) {
    return switch (this) {
      case PLAIN, TILED, SCALED, SCALED_TRANSPOSED -> shape.getLast();
      case TRANSPOSED -> shape.get(shape.size() - 2);
      case MICRO_SCALED -> Math.multiplyExact(shape.get(2), 32L);
    };
  }
}
