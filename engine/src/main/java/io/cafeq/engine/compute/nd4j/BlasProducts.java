package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.MemorySegment;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * Products on strided views by the OpenBLAS that ND4J brings: its own interface takes whole arrays
 * only.
 */
final class BlasProducts implements MatrixProducts {
  @Override
  public void multiply(
      float scale,
      MatrixView a,
      boolean transposeA,
      MatrixView b,
      boolean transposeB,
      float keep,
      MatrixView result) {
    int inner = MatrixProducts.requireFit(a, transposeA, b, transposeB, result);
    if (result.rows() == 0 || result.columns() == 0) {
      return;
    }
    try (FloatPointer left = pointer(a);
        FloatPointer right = pointer(b);
        FloatPointer to = pointer(result)) {
      openblas_nolapack.cblas_sgemm(
          openblas_nolapack.CblasRowMajor,
          transpose(transposeA),
          transpose(transposeB),
          result.rows(),
          result.columns(),
          inner,
          scale,
          left,
          a.stride(),
          right,
          b.stride(),
          keep,
          to,
          result.stride());
    }
  }

  @Override
  public void subtractSquare(
      DoubleMatrix matrix, int first, int inner, int row, int rows, int column) {
    int stride = matrix.columns();
    try (DoublePointer left = pointer(matrix, first, row);
        DoublePointer right = pointer(matrix, first, column);
        DoublePointer to = pointer(matrix, row, column)) {
      openblas_nolapack.cblas_dgemm(
          openblas_nolapack.CblasRowMajor,
          openblas_nolapack.CblasTrans,
          openblas_nolapack.CblasNoTrans,
          rows,
          stride - column,
          inner,
          -1,
          left,
          stride,
          right,
          stride,
          1,
          to,
          stride);
    }
  }

  private static DoublePointer pointer(DoubleMatrix matrix, int row, int column) {
    return new DoublePointer(
        new Address(matrix.segment().address() + matrix.index(row, column) * Double.BYTES));
  }

  private static int transpose(boolean is) {
    return is ? openblas_nolapack.CblasTrans : openblas_nolapack.CblasNoTrans;
  }

  /** Owns nothing: closing it leaves the memory alone. */
  private static FloatPointer pointer(MatrixView view) {
    MemorySegment memory = view.matrix().segment();
    return new FloatPointer(new Address(memory.address() + view.first() * Float.BYTES));
  }

  private static final class Address extends Pointer {
    private Address(long value) {
      address = value;
    }
  }
}
