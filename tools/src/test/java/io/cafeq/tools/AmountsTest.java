package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AmountsTest {

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "999, 999 B",
    "1000, 1.00 kB",
    "9994, 9.99 kB",
    "9996, 10.0 kB",
    "99960, 100 kB",
    "999499, 999 kB",
    "999500, 1.00 MB",
    "1530000000, 1.53 GB",
    "9223372036854775807, 9223 PB"
  })
  void bytes(long bytes, String text) {
    assertThat(Amounts.bytes(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "999, 999", "656000, 656 k", "134515008, 135 M"})
  void counts(long count, String text) {
    assertThat(Amounts.count(count)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "0.04, 0.0 s",
    "9.9, 9.9 s",
    "9.96, 10 s",
    "59.6, 1 min 00 s",
    "200, 3 min 20 s",
    "7500, 2 h 05 min"
  })
  void times(double seconds, String text) {
    assertThat(Amounts.time(seconds)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"0, 0.0000", "0.07657, 0.0766", "0.0000123, 1.23e-05"})
  void errors(double error, String text) {
    assertThat(Amounts.error(error)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "0.09, 0.1, 10.0 % below",
    "0.11, 0.1, 10.0 % above",
    "0.1, 0.1, 0.0 % below",
    "0.1, 0, ''"
  })
  void comparisons(double value, double other, String text) {
    assertThat(Amounts.comparison(value, other)).isEqualTo(text);
  }
}
