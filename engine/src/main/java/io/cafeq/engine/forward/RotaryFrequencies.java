package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.modelconfig.ConfigNumbers;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Rotary embedding: channels i and i + n/2 of a head are a complex number that turns by position
 * times its frequency, theta^(-2 i / n) where nothing scales it. Immutable.
 */
final class RotaryFrequencies {
  private static final String KNOWN = "default, linear, dynamic, llama3 and yarn";

  private static final String TYPE = "rope_type";
  private static final String OLD_TYPE = "type";

  /** The share of a head's channels that turn. */
  static final String PARTIAL = "partial_rotary_factor";

  private final double[] frequencies;
  private final double magnitude;
  private final int longest;

  private RotaryFrequencies(double[] frequencies, double magnitude, int longest) {
    this.frequencies = frequencies;
    this.magnitude = magnitude;
    this.longest = longest;
  }

  /**
   * @param headSize channels of a head, an even number
   * @param numbers {@code rope_scaling} of config.json or what replaces it; no object where there
   *     is none
   * @param trained {@code max_position_embeddings}
   */
  static RotaryFrequencies of(int headSize, double theta, ConfigNumbers numbers, int trained) {
    double[] plain =
        IntStream.range(0, headSize / 2)
            .mapToDouble(i -> Math.pow(theta, -2.0 * i / headSize))
            .toArray();
    if (!numbers.isObject()) {
      return new RotaryFrequencies(plain, 1, Integer.MAX_VALUE);
    }
    if (numbers.positive(PARTIAL, 1) != 1) {
      throw numbers.unknown(PARTIAL, "1");
    }
    String key = !numbers.has(TYPE) && numbers.has(OLD_TYPE) ? OLD_TYPE : TYPE;
    String type = numbers.text(key, numbers.has("factor") ? "" : "default");
    return switch (type) {
      case "default" -> new RotaryFrequencies(plain, 1, Integer.MAX_VALUE);
      case "dynamic" ->
          new RotaryFrequencies(
              plain, 1, numbers.count("original_max_position_embeddings", trained));
      case "linear" -> {
        double factor = required(numbers, "factor");
        yield new RotaryFrequencies(
            Arrays.stream(plain).map(frequency -> frequency / factor).toArray(),
            1,
            Integer.MAX_VALUE);
      }
      case "llama3" -> new RotaryFrequencies(llama3(plain, numbers), 1, Integer.MAX_VALUE);
      case "yarn" ->
          new RotaryFrequencies(
              yarn(plain, theta, trained, numbers), yarnMagnitude(numbers), Integer.MAX_VALUE);
      default -> throw numbers.unknown(key, "rotary embedding of type", type, KNOWN);
    };
  }

  /** Windows must not be longer: beyond this length, frequencies would depend on it. */
  int longest() {
    return longest;
  }

  /** Cosines and sines for the positions from 0 on. */
  RotaryTable table(Arena arena, int positions) {
    FloatMatrix cosines = FloatMatrix.allocate(arena, positions, frequencies.length);
    FloatMatrix sines = FloatMatrix.allocate(arena, positions, frequencies.length);
    for (int position = 0; position < positions; position++) {
      for (int pair = 0; pair < frequencies.length; pair++) {
        double angle = position * frequencies[pair];
        cosines.set(position, pair, (float) (Math.cos(angle) * magnitude));
        sines.set(position, pair, (float) (Math.sin(angle) * magnitude));
      }
    }
    return new RotaryTable(cosines, sines);
  }

  private static double required(ConfigNumbers numbers, String key) {
    double value = numbers.positive(key, 0);
    if (value == 0) {
      throw numbers.wrong(key, "a number above 0 for rotary embedding");
    }
    return value;
  }

  /**
   * Pairs that turn often over the trained length keep their frequency, those that hardly turn are
   * slowed down.
   */
  private static double[] llama3(double[] plain, ConfigNumbers numbers) {
    double factor = required(numbers, "factor");
    double low = required(numbers, "low_freq_factor");
    double high = required(numbers, "high_freq_factor");
    double length = required(numbers, "original_max_position_embeddings");
    return Arrays.stream(plain)
        .map(
            frequency -> {
              double turns = length * frequency / (2 * Math.PI);
              double kept = Math.clamp((turns - low) / (high - low), 0, 1);
              return frequency * (kept + (1 - kept) / factor);
            })
        .toArray();
  }

  /**
   * YaRN (Peng et al., 2023): a ramp between the pairs that turn {@code beta_fast} and {@code
   * beta_slow} times.
   */
  private static double[] yarn(double[] plain, double theta, int trained, ConfigNumbers numbers) {
    double factor = required(numbers, "factor");
    double length = numbers.positive("original_max_position_embeddings", trained);
    boolean whole = numbers.flag("truncate", true);
    double fast = pairWithTurns(numbers.positive("beta_fast", 32), length, theta, plain.length);
    double slow = pairWithTurns(numbers.positive("beta_slow", 1), length, theta, plain.length);
    double from = Math.max(whole ? Math.floor(fast) : fast, 0);
    double to = Math.min(whole ? Math.ceil(slow) : slow, 2.0 * plain.length - 1);
    double width = to == from ? 0.001 : to - from;
    return IntStream.range(0, plain.length)
        .mapToDouble(
            pair -> {
              double stretched = Math.clamp((pair - from) / width, 0, 1);
              return plain[pair] * (1 - stretched + stretched / factor);
            })
        .toArray();
  }

  /** The pair, counted in fractions, whose frequency makes that many turns over a length. */
  private static double pairWithTurns(double turns, double length, double theta, int pairs) {
    return pairs * Math.log(length / (turns * 2 * Math.PI)) / Math.log(theta);
  }

  private static double yarnMagnitude(ConfigNumbers numbers) {
    double factor = required(numbers, "factor");
    double some = numbers.node().path("mscale").asDouble(0);
    double all = numbers.node().path("mscale_all_dim").asDouble(0);
    double assumed =
        some != 0 && all != 0
            ? logarithmic(factor, some) / logarithmic(factor, all)
            : logarithmic(factor, 1);
    return numbers.positive("attention_factor", assumed);
  }

  private static double logarithmic(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }
}
