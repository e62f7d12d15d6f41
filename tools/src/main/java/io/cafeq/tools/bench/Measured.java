package io.cafeq.tools.bench;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * One figure.
 *
 * @param limit what the machine can do at most of the same kind, in the same unit
 * @param ratio value / limit
 * @param layer the time of a whole layer, of which a part was measured; null (left out of JSON) for
 *     other figures
 */
public record Measured(
    String name,
    double value,
    String unit,
    double limit,
    double ratio,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Layer layer) {

  /**
   * A whole layer.
   *
   * @param seconds on one lane while all lanes work, extrapolated
   * @param measured how much of it was measured, in words
   */
  public record Layer(double seconds, String measured) {}

  static Measured of(String name, double value, String unit, double limit) {
    return new Measured(name, value, unit, limit, limit > 0 ? value / limit : 0, null);
  }

  Measured with(Layer time) {
    return new Measured(name, value, unit, limit, ratio, time);
  }
}
