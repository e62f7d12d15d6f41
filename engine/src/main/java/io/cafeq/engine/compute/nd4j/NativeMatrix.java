package io.cafeq.engine.compute.nd4j;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A row-major float matrix that ND4J owns. ND4J sees its transpose in column order, the one layout
 * that its products take and give without copies. Closed by whoever made it.
 */
final class NativeMatrix implements AutoCloseable {
  private final int rows;
  private final int columns;
  private final INDArray transposed;
  private final MemorySegment memory;

  NativeMatrix(int rows, int columns) {
    this.rows = rows;
    this.columns = columns;
    transposed = Nd4j.createUninitializedDetached(DataType.FLOAT, 'f', columns, rows);
    memory =
        MemorySegment.ofAddress(transposed.data().pointer().address())
            .reinterpret((long) rows * columns * Float.BYTES);
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  /** Copies {@code count} entries from row-major index {@code at} on. */
  void get(long at, float[] to, int count) {
    MemorySegment.copy(memory, ValueLayout.JAVA_FLOAT, at * Float.BYTES, to, 0, count);
  }

  void set(long at, float[] from, int count) {
    MemorySegment.copy(from, 0, memory, ValueLayout.JAVA_FLOAT, at * Float.BYTES, count);
  }

  void clear() {
    memory.fill((byte) 0);
  }

  /** result = a b + keep * result, each of the factors transposed or not. */
  static void multiply(
      NativeMatrix a,
      boolean transposeA,
      NativeMatrix b,
      boolean transposeB,
      double keep,
      NativeMatrix result) {
    // (a b)^T = b^T a^T, and the arrays are transposes already.
    Nd4j.gemm(b.transposed, a.transposed, result.transposed, transposeB, transposeA, 1, keep);
  }

  @Override
  public void close() {
    transposed.close();
  }
}
