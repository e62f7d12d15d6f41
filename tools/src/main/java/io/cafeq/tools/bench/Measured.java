package io.cafeq.tools.bench;

/**
 * One figure.
 *
 * @param limit what the machine can do at most of the same kind, in the same unit
 * @param ratio value / limit
 */
public record Measured(String name, double value, String unit, double limit, double ratio) {
  static Measured of(String name, double value, String unit, double limit) {
    return new Measured(name, value, unit, limit, limit > 0 ? value / limit : 0);
  }
}
