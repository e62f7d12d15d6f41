package io.cafeq.engine.family;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.family.Coupling.Kind;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PairRefusalsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "3|Layer 3 has no value-output pair: why.",
        "3 3|Layer 3 has no value-output pair: why.",
        "4 3|Layers 3 and 4 have no value-output pairs: why.",
        "0 1 2 3|Layers 0 to 3 have no value-output pairs: why.",
        "0 2 3 4 6|Layers 0, 2 to 4 and 6 have no value-output pairs: why.",
        "1 3|Layers 1 and 3 have no value-output pairs: why.",
        "5 6 7 1 2|Layers 1, 2 and 5 to 7 have no value-output pairs: why."
      })
  void layersAreGathered(String layers, String sentence) {
    PairRefusals refusals = new PairRefusals();
    Arrays.stream(layers.split(" "))
        .forEach(layer -> refusals.add(Kind.VALUE_OUTPUT, Integer.parseInt(layer), "why"));
    assertThat(refusals.sentences()).containsExactly(sentence);
  }

  @Test
  void eachReasonAndKindHasASentenceInTheOrderOfFirstMention() {
    PairRefusals refusals = new PairRefusals();
    assertThat(refusals.sentences()).isEmpty();
    refusals.add(Kind.QUERY_KEY, 1, "b");
    refusals.add(Kind.VALUE_OUTPUT, 0, "b");
    refusals.add(Kind.QUERY_KEY, 0, "a");
    refusals.add(Kind.QUERY_KEY, 2, "b");
    assertThat(refusals.sentences())
        .containsExactly(
            "Layers 1 and 2 have no query-key pairs: b.",
            "Layer 0 has no value-output pair: b.",
            "Layer 0 has no query-key pair: a.");
  }
}
