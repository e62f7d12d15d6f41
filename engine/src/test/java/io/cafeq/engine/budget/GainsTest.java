package io.cafeq.engine.budget;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.GridSpec;
import org.junit.jupiter.api.Test;

class GainsTest {
  private static final int COLUMNS = 1024;

  @Test
  void interpolatesLogarithmsBetweenSizesAndStaysBeyondThem() {
    Gains gains = gains(0.8, 0.2);

    assertThat(gains.ratio(grid(32), COLUMNS)).isEqualTo(0.8);
    assertThat(gains.ratio(grid(128), COLUMNS)).isEqualTo(0.2);
    assertThat(gains.ratio(grid(64), COLUMNS)).isCloseTo(0.4, within(1e-12));
    assertThat(gains.ratio(grid(16), COLUMNS)).isEqualTo(0.8);
    assertThat(gains.ratio(grid(0), COLUMNS)).isEqualTo(0.2);
  }

  @Test
  void goesFromOneMeasurementToTheOther() {
    Gains from = gains(0.8, 0.2);
    Gains to = gains(0.2, 0.2);

    assertThat(from.towards(to, 0).ratio(grid(32), COLUMNS)).isCloseTo(0.8, within(1e-12));
    assertThat(from.towards(to, 0.5).ratio(grid(32), COLUMNS)).isCloseTo(0.4, within(1e-12));
    assertThat(from.towards(to, 1).ratio(grid(32), COLUMNS)).isCloseTo(0.2, within(1e-12));
  }

  @Test
  void refusesWhatWasNotMeasured() {
    GridSpec other = new GridSpec(3, 32, ScaleStorage.SYMMETRIC, 8, true);
    assertThatThrownBy(() -> gains(0.8, 0.2).ratio(other, COLUMNS))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static Gains gains(double at32, double at128) {
    Gains.Builder gains = new Gains.Builder();
    gains.add(grid(32), COLUMNS, at32);
    gains.add(grid(128), COLUMNS, at128);
    return gains.build();
  }

  private static GridSpec grid(int group) {
    return new GridSpec(4, group, ScaleStorage.SYMMETRIC, 8, true);
  }
}
