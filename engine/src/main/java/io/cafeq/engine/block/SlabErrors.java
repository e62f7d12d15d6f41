package io.cafeq.engine.block;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Adds up the errors of one tensor's pieces and compares each slab's sums with what the file says.
 */
final class SlabErrors {
  private static final int TILE = 8192;

  private final TensorHeader tensor;
  private final Damage damage;
  private final float[] effective = new float[TILE];
  private final float[] original = new float[TILE];
  private UnitRow.@Nullable Slab slab;
  private double slabError;
  private double slabNorm;
  private double squaredError;
  private double squaredNorm;
  private boolean compare;

  SlabErrors(TensorHeader tensor, Damage damage) {
    this.tensor = tensor;
    this.damage = damage;
  }

  /**
   * Whether a recorded sum is what was measured; errors near nothing are judged by the tensor's
   * size.
   */
  static boolean agree(double recorded, double measured, double norm) {
    return Math.abs(recorded - measured) <= UnitProof.TOLERANCE * measured + 1e-9 * norm;
  }

  double squaredError() {
    return squaredError;
  }

  double squaredNorm() {
    return squaredNorm;
  }

  /**
   * The next piece, with the source's weights of the same rows; without, values are only looked at
   * for NaN and infinity.
   */
  void add(long channel, FloatMatrix weights, UnitRow.Slab from, @Nullable FloatMatrix source) {
    if (slab == null || slab.firstRow() != from.firstRow() || slab.expert() != from.expert()) {
      endOfSlab();
      slab = from;
      compare = source != null;
    }
    for (long at = 0; at < weights.elements(); at += TILE) {
      int count = (int) Math.min(TILE, weights.elements() - at);
      MemorySegment.copy(
          weights.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, effective, 0, count);
      checkFinite(channel, weights.columns(), at, count);
      if (source != null) {
        MemorySegment.copy(
            source.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, original, 0, count);
        addTile(count);
      }
    }
  }

  /** To be called after the last piece as well. */
  void endOfSlab() {
    if (slab != null && compare) {
      if (!agree(slab.slab().squaredError(), slabError, slabNorm)) {
        throw damage.disagrees(
            place(slab)
                + ": the squared error in the file is "
                + slab.slab().squaredError()
                + ", measured against the source it is "
                + slabError);
      }
      if (!agree(slab.slab().squaredNorm(), slabNorm, slabNorm)) {
        throw damage.disagrees(
            place(slab)
                + ": the squared norm in the file is "
                + slab.slab().squaredNorm()
                + ", measured on the source it is "
                + slabNorm);
      }
    }
    squaredError += slabError;
    squaredNorm += slabNorm;
    slab = null;
    slabError = 0;
    slabNorm = 0;
  }

  private String place(UnitRow.Slab at) {
    return "tensor " + tensor.name() + ", output channels from " + at.firstRow() + " on";
  }

  private void checkFinite(long channel, int columns, long at, int count) {
    for (int i = 0; i < count; i++) {
      if (!Float.isFinite(effective[i])) {
        throw damage.of(
            "tensor "
                + tensor.name()
                + ", output channel "
                + (channel + (at + i) / columns)
                + ", column "
                + (at + i) % columns
                + " decodes to "
                + effective[i]);
      }
    }
  }

  /** Two sums each, so that additions need not wait for one another. */
  private void addTile(int count) {
    double error0 = 0, error1 = 0, norm0 = 0, norm1 = 0;
    int i = 0;
    for (; i + 1 < count; i += 2) {
      double a = original[i];
      double b = original[i + 1];
      double da = effective[i] - a;
      double db = effective[i + 1] - b;
      error0 += da * da;
      error1 += db * db;
      norm0 += a * a;
      norm1 += b * b;
    }
    if (i < count) {
      double a = original[i];
      error0 += (effective[i] - a) * (effective[i] - a);
      norm0 += a * a;
    }
    slabError += error0 + error1;
    slabNorm += norm0 + norm1;
  }
}
