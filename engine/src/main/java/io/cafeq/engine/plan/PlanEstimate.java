package io.cafeq.engine.plan;

/**
 * Estimates a whole plan before any weight is read.
 *
 * @param quantized all quantized units together
 * @param copied all copied units together
 * @param units how many units
 * @param tensors how many tensors
 */
public record PlanEstimate(UnitEstimate quantized, UnitEstimate copied, int units, int tensors) {
  /** Schema, record batches, footer and dictionaries of one unit's file, as a round figure. */
  private static final long BYTES_PER_UNIT = 8 << 10;

  /** Names, offsets and error figures of one row. */
  private static final long BYTES_PER_TENSOR = 1 << 10;

  public static PlanEstimate of(Plan plan) {
    UnitEstimate quantized = UnitEstimate.NOTHING;
    UnitEstimate copied = UnitEstimate.NOTHING;
    int tensors = 0;
    for (Unit unit : plan.units()) {
      tensors += unit.tensors().size();
      switch (unit) {
        case Unit.Quantized learned -> quantized = quantized.plus(UnitEstimate.of(learned));
        case Unit.Copied kept -> copied = copied.plus(UnitEstimate.of(kept));
      }
    }
    return new PlanEstimate(quantized, copied, plan.units().size(), tensors);
  }

  /** Bits per weight of the quantized tensors: codes, scales, zero points, transforms. */
  public double bitsPerWeight() {
    return quantized.bitsPerWeight();
  }

  /** Bits per weight of all tensors. */
  public double modelBitsPerWeight() {
    return quantized.plus(copied).bitsPerWeight();
  }

  /** Bytes of all tensors in their stored form. */
  public long modelBytes() {
    return quantized.plus(copied).bytes();
  }

  /** Bytes on disk, side files not counted. */
  public long outputBytes() {
    return modelBytes() + units * BYTES_PER_UNIT + tensors * BYTES_PER_TENSOR;
  }
}
