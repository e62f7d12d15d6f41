package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;

class PairwiseTest {
  private static final Map<String, List<String>> FACTORS =
      Map.of(
          "a", List.of("1", "2", "3", "4"),
          "b", List.of("x", "y", "z"),
          "c", List.of("p", "q"),
          "d", List.of("k", "l", "m"));

  @Test
  void everyTwoChoicesThatMayMeetDo() {
    List<SortedMap<String, String>> rows = Pairwise.rows(FACTORS, PairwiseTest::withoutFourAndX, 1);

    assertThat(rows).hasSizeBetween(12, 18);
    FACTORS.forEach(
        (factor, choices) ->
            FACTORS.forEach(
                (other, others) -> {
                  for (String choice : factor.equals(other) ? List.<String>of() : choices) {
                    for (String otherChoice : others) {
                      boolean apart =
                          (choice + otherChoice).equals("4x")
                              || (otherChoice + choice).equals("4x");
                      assertThat(
                              rows.stream()
                                  .anyMatch(
                                      row ->
                                          choice.equals(row.get(factor))
                                              && otherChoice.equals(row.get(other))))
                          .as(choice + " with " + otherChoice)
                          .isEqualTo(!apart);
                    }
                  }
                }));
  }

  @Test
  void aSeedGivesTheSameRows() {
    assertThat(Pairwise.rows(FACTORS, row -> row, 7))
        .isEqualTo(Pairwise.rows(FACTORS, row -> row, 7))
        .isNotEqualTo(Pairwise.rows(FACTORS, row -> row, 8));
  }

  private static SortedMap<String, String> withoutFourAndX(SortedMap<String, String> row) {
    if ("4".equals(row.get("a"))) {
      row.replace("b", "x", "y");
    }
    return row;
  }
}
