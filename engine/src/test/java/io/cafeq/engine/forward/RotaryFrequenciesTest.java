package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cafeq.engine.modelconfig.ConfigNumbers;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * YaRN on heads of 16 channels with theta 10000: numbers from the equations of its paper, worked
 * out by another program.
 */
class RotaryFrequenciesTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{}; 1.138629436;"
            + "1 0.316227766 0.1 0.02569350599 0.00625 0.001383496476 0.00025 7.90569415e-05",
        "{\"beta_fast\": 16, \"beta_slow\": 2}; 1.138629436;"
            + "1 0.316227766 0.1 0.0316227766 0.0075 0.00158113883 0.00025 7.90569415e-05",
        "{\"factor\": 40, \"truncate\": false, \"mscale\": 1, \"mscale_all_dim\": 0.5};"
            + " 1.15572199;1 0.316227766 0.1 0.02771085848 0.005524062977 0.0007226383418 2.5e-05"
            + " 7.90569415e-06",
        "{\"attention_factor\": 1.5, \"mscale\": 1, \"mscale_all_dim\": 0.5}; 1.5;"
            + "1 0.316227766 0.1 0.02569350599 0.00625 0.001383496476 0.00025 7.90569415e-05"
      })
  void frequenciesAndMagnitudeOfYarn(String change, double magnitude, String frequencies)
      throws JsonProcessingException {
    ObjectMapper json = new ObjectMapper();
    RotaryFrequencies rotary =
        RotaryFrequencies.of(
            16,
            1e4,
            new ConfigNumbers(
                json.readerForUpdating(json.readTree("{\"rope_type\": \"yarn\", \"factor\": 4}"))
                    .readTree(change)),
            4096);
    double[] expected =
        Arrays.stream(frequencies.strip().split(" ")).mapToDouble(Double::parseDouble).toArray();
    try (Arena arena = Arena.ofConfined()) {
      RotaryTable table = rotary.table(arena, 2);
      assertThat(table.pairs()).isEqualTo(expected.length);
      for (int pair = 0; pair < expected.length; pair++) {
        double cosine = table.cosines().get(1, pair);
        double sine = table.sines().get(1, pair);
        assertThat(Math.atan2(sine, cosine))
            .as("pair %d", pair)
            .isCloseTo(expected[pair], Percentage.withPercentage(1e-4));
        assertThat(Math.hypot(sine, cosine)).isCloseTo(magnitude, Percentage.withPercentage(1e-4));
      }
    }
  }
}
