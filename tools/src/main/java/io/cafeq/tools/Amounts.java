package io.cafeq.tools;

import java.time.Duration;
import java.util.Locale;

/** Formats numbers for people. */
final class Amounts {
  private static final String[] DECIMAL_PREFIXES = {"", "k", "M", "G", "T", "P"};

  private Amounts() {}

  /** Formats bytes in powers of 1000, as for disks and checkpoints: {@code 1.53 GB}. */
  static String bytes(long bytes) {
    return scaled(bytes, " ", "B");
  }

  /** Formats a number of weights: {@code 135 M}. */
  static String count(long count) {
    return scaled(count, count < 1000 ? "" : " ", "").stripTrailing();
  }

  private static String scaled(long amount, String gap, String unit) {
    double value = amount;
    int prefix = 0;
    // 999.5 would be shown as 1000 of the smaller prefix.
    while (value >= 999.5 && prefix < DECIMAL_PREFIXES.length - 1) {
      value /= 1000;
      prefix++;
    }
    String digits = prefix == 0 || value >= 99.95 ? "%.0f" : value >= 9.995 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, digits, value) + gap + DECIMAL_PREFIXES[prefix] + unit;
  }

  /** Formats a time: {@code 0.4 s}, {@code 12 s}, {@code 3 min 20 s}, {@code 2 h 05 min}. */
  static String time(double seconds) {
    if (seconds < 9.95) {
      return String.format(Locale.ROOT, "%.1f s", seconds);
    }
    Duration duration = Duration.ofSeconds(Math.round(seconds));
    if (duration.toMinutes() < 1) {
      return duration.toSeconds() + " s";
    }
    return duration.toHours() < 1
        ? String.format(
            Locale.ROOT, "%d min %02d s", duration.toMinutes(), duration.toSecondsPart())
        : String.format(Locale.ROOT, "%d h %02d min", duration.toHours(), duration.toMinutesPart());
  }

  /** Formats a relative error with four digits: {@code 0.0766}. */
  static String error(double relativeError) {
    return String.format(
        Locale.ROOT, relativeError > 0 && relativeError < 0.00095 ? "%.2e" : "%.4f", relativeError);
  }

  /** Formats bits per weight: {@code 4.33}. */
  static String bits(double bitsPerWeight) {
    return String.format(Locale.ROOT, "%.2f", bitsPerWeight);
  }

  /** Compares {@code value} with {@code other}: {@code 10.6 % below}. */
  static String comparison(double value, double other) {
    if (other == 0) {
      return "";
    }
    double share = value / other - 1;
    return String.format(
        Locale.ROOT, "%.1f %% %s", Math.abs(share) * 100, share > 0 ? "above" : "below");
  }
}
