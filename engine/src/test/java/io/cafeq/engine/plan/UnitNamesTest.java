package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.UniqueElements;
import org.junit.jupiter.api.Test;

class UnitNamesTest {
  @Test
  void readableWhereThatIsSafe() {
    assertThat(ids("model.layers.0.mlp.down_proj", "copied-00001"))
        .containsExactly("model.layers.0.mlp.down_proj", "copied-00001");
  }

  @Test
  void aHashTellsApartWhatWouldBeTheSameFile() {
    assertThat(ids("a.B", "A.b", "c"))
        .satisfiesExactly(
            first -> assertThat(first).matches("a\\.B-[0-9a-f]{8}"),
            second -> assertThat(second).matches("A\\.b-[0-9a-f]{8}"),
            third -> assertThat(third).isEqualTo("c"));
    assertThat(ids("a/b", "a\\b", "../../etc", ".hidden", ""))
        .allMatch(id -> id.matches("[A-Za-z0-9_][A-Za-z0-9._-]*"))
        .doesNotHaveDuplicates();
  }

  @Test
  void aNameThatImitatesAHashedOneIsNoTrap() {
    String imitation = ids("x/y").getFirst();
    assertThat(ids("x/y", imitation).stream().map(id -> id.toLowerCase(Locale.ROOT)))
        .doesNotHaveDuplicates();
  }

  @Test
  void aTensorWithAndWithoutSuffixAndACopyOfThatNameAreAllDifferent() {
    Plan plan =
        Headers.of("llama")
            .add("x", 16, 16)
            .add("x.weight", 16, 16)
            .add("copied-00001", 16, 16)
            .add("y", 16)
            .plan("include", "x.*|copied.*", "method", "rtn");
    assertThat(plan.units()).hasSize(4).extracting(Unit::id).doesNotHaveDuplicates();
  }

  @Property
  void idsAreFileSafeUniqueAndStable(@ForAll("names") @UniqueElements List<String> names) {
    List<String> ids = ids(names.toArray(String[]::new));
    assertThat(ids).isEqualTo(ids(names.toArray(String[]::new)));
    assertThat(ids).allMatch(id -> id.length() <= 200 && id.matches("[A-Za-z0-9_][A-Za-z0-9._-]*"));
    assertThat(ids.stream().map(id -> id.toLowerCase(Locale.ROOT))).doesNotHaveDuplicates();
  }

  @Provide
  Arbitrary<List<String>> names() {
    Arbitrary<String> confusing = Arbitraries.strings().withChars("aA./-_é\ud800 ").ofMaxLength(4);
    Arbitrary<String> any = Arbitraries.strings().ofMaxLength(400);
    Arbitrary<String> layers =
        Arbitraries.integers().between(0, 99).map("model.layers.%d.mlp.down_proj"::formatted);
    return Arbitraries.oneOf(confusing, any, layers).list().ofMaxSize(40);
  }

  private static List<String> ids(String... names) {
    return UnitNames.ids(List.of(names).stream().map(name -> Map.entry(name, name)).toList());
  }
}
