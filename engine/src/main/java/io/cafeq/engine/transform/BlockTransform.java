package io.cafeq.engine.transform;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * One finished block as the rounding needs it: what is quantized is V = {@link #forward} W_b, and
 * the error of codes is measured by ||T (codes' values - V)||_F. Its maps are floats on the heap,
 * or in an arena after {@link #in}.
 *
 * @param source where the block comes from
 * @param forward row-major [k, k]
 * @param correction row j holds T_ji / T_jj for i > j, else 0; row-major [k, k]
 * @param diagonal T_jj
 */
public record BlockTransform(
    Source source, MemorySegment forward, MemorySegment correction, float[] diagonal) {
  /** Bytes of both maps for each entry of a block. */
  private static final long MAP_BYTES = 2 * Float.BYTES;

  /** Where a block comes from. */
  public sealed interface Source {
    int firstChannel();

    int k();
  }

  /**
   * M is the inverse of P <em>as stored</em>, and the error is that with the transform undone: P =
   * Q T.
   */
  public record Stored(StoredTransform transform) implements Source {
    @Override
    public int firstChannel() {
      return transform.firstChannel();
    }

    @Override
    public int k() {
      return transform.k();
    }
  }

  /**
   * Nothing is stored: the map is folded into what is quantized, and the metric T^T T comes from
   * elsewhere.
   */
  public record Measured(int firstChannel, int k) implements Source {}

  /** Empty where the stored P has no finite inverse. */
  public static Optional<BlockTransform> of(StoredTransform stored) {
    int k = stored.k();
    double[] p = doubles(stored.inverse());
    boolean orthogonal = stored.format() == StoredTransform.Format.HADAMARD;
    double[] m = orthogonal ? SquareMatrices.transpose(p, k) : SquareMatrices.invert(p, k);
    double[] t = orthogonal ? SquareMatrices.identity(k) : SquareMatrices.upperTriangular(p, k);
    return of(new Stored(stored), m, t);
  }

  /**
   * A block whose map and metric are given; empty where they have no finite floats.
   *
   * @param forward row-major [k, k]
   * @param triangle T, upper triangular
   */
  public static Optional<BlockTransform> of(
      int firstChannel, int k, double[] forward, double[] triangle) {
    return of(new Measured(firstChannel, k), forward, triangle);
  }

  /** The same map and metric, shared, for other channels; for blocks of which nothing is stored. */
  public BlockTransform at(int firstChannel) {
    return switch (source) {
      case Measured(int first, int k) ->
          new BlockTransform(new Measured(firstChannel, k), forward, correction, diagonal);
      case Stored stored -> throw new IllegalStateException("a stored block has its channels");
    };
  }

  private static Optional<BlockTransform> of(Source source, double[] m, double[] t) {
    int k = source.k();
    float[] forward = new float[k * k];
    float[] correction = new float[k * k];
    float[] diagonal = new float[k];
    for (int j = 0; j < k; j++) {
      diagonal[j] = (float) t[j * k + j];
      for (int i = 0; i < k; i++) {
        forward[j * k + i] = (float) m[j * k + i];
        correction[j * k + i] = i > j ? (float) (t[j * k + i] / t[j * k + j]) : 0;
        if (!Float.isFinite(forward[j * k + i]) || !Float.isFinite(correction[j * k + i])) {
          return Optional.empty();
        }
      }
    }
    return Optional.of(
        new BlockTransform(
            source, MemorySegment.ofArray(forward), MemorySegment.ofArray(correction), diagonal));
  }

  /** The same with its maps in the arena, for blocks that many slabs need. */
  public BlockTransform in(Arena arena) {
    return new BlockTransform(source, copy(forward, arena), copy(correction, arena), diagonal);
  }

  private static MemorySegment copy(MemorySegment map, Arena arena) {
    return arena.allocate(map.byteSize(), 64).copyFrom(map);
  }

  /** Native bytes that {@link #in} takes for a block of k channels. */
  public static long nativeBytes(int k) {
    return MAP_BYTES * k * k + 2 * 64;
  }

  /** Heap bytes that stay of such a block: P as it is stored, at most two bytes an entry. */
  public static long heapBytes(int k) {
    return Short.BYTES * (long) k * k + (Float.BYTES + Short.BYTES) * (long) k + 256;
  }

  /** Entry (row, column) of {@link #forward()}. */
  public float forward(int row, int column) {
    return forward.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * k() + column);
  }

  /** Copies {@link #forward()}. */
  public void readForward(float[] to) {
    MemorySegment.copy(forward, ValueLayout.JAVA_FLOAT, 0, to, 0, k() * k());
  }

  /** Copies {@link #correction}. */
  public void readCorrection(float[] to) {
    MemorySegment.copy(correction, ValueLayout.JAVA_FLOAT, 0, to, 0, k() * k());
  }

  public int k() {
    return source.k();
  }

  /** First channel of the block on its side. */
  public int firstChannel() {
    return source.firstChannel();
  }

  /** What goes into the file, where something does. */
  public Optional<StoredTransform> stored() {
    return switch (source) {
      case Stored(StoredTransform transform) -> Optional.of(transform);
      case Measured measured -> Optional.empty();
    };
  }

  /** The map in doubles. */
  public double[] exactForward() {
    return switch (source) {
      case Stored(StoredTransform transform) ->
          SquareMatrices.invert(doubles(transform.inverse()), k());
      case Measured measured -> doubles(forward.toArray(ValueLayout.JAVA_FLOAT));
    };
  }

  /** T in doubles. */
  public double[] exactTriangle() {
    return switch (source) {
      case Stored(StoredTransform transform) ->
          SquareMatrices.upperTriangular(doubles(transform.inverse()), k());
      case Measured measured -> triangle();
    };
  }

  private double[] triangle() {
    double[] t = doubles(correction.toArray(ValueLayout.JAVA_FLOAT));
    for (int j = 0; j < k(); j++) {
      t[j * k() + j] = 1;
      for (int i = j * k(); i < (j + 1) * k(); i++) {
        t[i] *= diagonal[j];
      }
    }
    return t;
  }

  /**
   * The sign bits of a Hadamard block, which needs no multiplications and no corrections: nearest
   * plane is nearest there.
   */
  public Optional<byte[]> signs() {
    return stored()
        .filter(known -> known.format() == StoredTransform.Format.HADAMARD)
        .map(StoredTransform::data);
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < doubles.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }
}
