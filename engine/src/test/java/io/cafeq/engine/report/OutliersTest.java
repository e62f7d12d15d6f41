package io.cafeq.engine.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Loss;
import io.cafeq.config.Rounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.transform.TransformSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which units are named beside the totals. */
class OutliersTest {
  private static final int WEIGHTS = 64 * 64;

  @Test
  void oneUnitAmongManyIsNamedHoweverSmallItsWeights() {
    List<UnitResult> results = ordinary(Role.UP, 12, 4, 0.08);
    results.add(5, done("bad", Role.UP, 4, 0.6, 1e-18, null));
    assertThat(Outliers.among(results))
        .singleElement()
        .satisfies(
            outlier -> {
              assertThat(outlier.unit()).isEqualTo("bad");
              assertThat(outlier.measure()).isEqualTo(Outlier.Measure.RELATIVE_ERROR);
              assertThat(outlier.error()).isEqualTo(0.6);
              assertThat(outlier.usual()).isBetween(0.07, 0.09);
              assertThat(outlier.warning()).contains("bad", "0.6000", "--exclude 'bad\\.weight'");
              assertThat("bad.weight").matches(outlier.pattern());
            });
  }

  @Test
  void outputsCountWhereTheyAreKnown() {
    List<UnitResult> results = ordinary(Role.DOWN, 5, 4, 0.08);
    results.replaceAll(result -> done(result.unit().id(), Role.DOWN, 4, 0.08, 1, 0.05));
    results.add(done("bad", Role.DOWN, 4, 0.09, 1, 0.5));
    assertThat(Outliers.among(results))
        .singleElement()
        .satisfies(
            outlier -> {
              assertThat(outlier.unit()).isEqualTo("bad");
              assertThat(outlier.measure()).isEqualTo(Outlier.Measure.OUTPUT_ERROR);
            });
  }

  @Test
  void aKindThatIsBadAltogetherIsMeasuredByTheOthers() {
    List<UnitResult> results = ordinary(Role.UP, 12, 4, 0.08);
    for (int i = 0; i < 4; i++) {
      results.add(done("o" + i, Role.ATTENTION_OUTPUT, 4, 0.9, 1, null));
    }
    assertThat(Outliers.among(results))
        .extracting(Outlier::unit)
        .containsExactly("o0", "o1", "o2", "o3");
  }

  @Test
  void fewUnitsAreMeasuredByWhatNoRoundingShouldHave() {
    assertThat(Outliers.among(List.of(done("one", Role.UP, 4, 0.95, 1, null)))).hasSize(1);
    assertThat(Outliers.among(List.of(done("one", Role.UP, 4, 0.1, 1, null)))).isEmpty();
  }

  @Test
  void ordinaryModelsNameNothing() {
    List<UnitResult> results = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      // Kinds differ, layers differ, and a recipe may give some of them fewer bits.
      int bits = i % 10 == 3 ? 2 : 4;
      double error = (0.06 + 0.002 * i) * (bits == 2 ? 5 : 1);
      results.add(done("u" + i, i % 2 == 0 ? Role.DOWN : Role.QUERY, bits, error, 1, error / 2));
    }
    assertThat(Outliers.among(results)).isEmpty();
    assertThat(Outliers.among(ordinary(Role.UP, 6, 2, 0.5))).isEmpty();
    assertThat(Outliers.among(List.of())).isEmpty();
  }

  @Test
  void unitsThatAreNotThereAndCopiesAreNoMeasure() {
    List<UnitResult> results = ordinary(Role.UP, 4, 4, 0.08);
    results.add(
        new UnitResult.Failed(
            unit("failed", Role.UP), new UnitFailure(FailureKind.CHECKPOINT, "NaN", "None.")));
    results.add(new UnitResult.Missing(unit("missing", Role.UP)));
    results.add(new UnitResult.Done(unit("copied", Role.UP), receipt("copied", null)));
    results.add(done("zeros", Role.UP, 4, 0, 0, null));
    assertThat(Outliers.among(results)).isEmpty();
  }

  @Test
  void patternsMatchEveryTensorOfTheUnit() {
    List<String> names = List.of("a.0.w", "a.1.w", "a.2.w", "a.3.w", "a.4.w");
    for (int count = 1; count <= names.size(); count++) {
      Outlier outlier =
          new Outlier("u", names.subList(0, count), Outlier.Measure.RELATIVE_ERROR, 1, 0.1);
      names.subList(0, count).forEach(name -> assertThat(name).matches(outlier.pattern()));
      assertThat("b.0.w").doesNotMatch(outlier.pattern());
    }
    String odd = "a'b\n$(c)*.w";
    Outlier outlier = new Outlier("u", List.of(odd), Outlier.Measure.RELATIVE_ERROR, 1, 0.1);
    assertThat(outlier.pattern()).doesNotContain("'", "\n", "$");
    assertThat(odd).matches(outlier.pattern());
  }

  private static List<UnitResult> ordinary(Role role, int count, int bits, double error) {
    List<UnitResult> results = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      results.add(done(role + "-" + i, role, bits, error * (1 + 0.02 * (i % 3)), 1, null));
    }
    return results;
  }

  private static UnitResult done(
      String id, Role role, int bits, double error, double norm, @Nullable Double outputError) {
    ErrorFigures figures =
        new ErrorFigures(
            error * error * norm,
            outputError == null ? null : (Double) (outputError * outputError),
            (long) bits * WEIGHTS);
    return new UnitResult.Done(
        unit(id, role),
        receipt(
            id,
            new UnitFigures(
                WEIGHTS,
                norm,
                outputError == null ? null : (Double) 1.0,
                figures,
                null,
                null,
                null,
                false,
                List.of(),
                "x")));
  }

  private static UnitReceipt receipt(String id, @Nullable UnitFigures figures) {
    return new UnitReceipt(
        id, "units/" + id + ".arrow", 10, "00", new TreeMap<>(), "scalar/java", figures, 1);
  }

  private static Unit.Quantized unit(String id, Role role) {
    TensorInfo info =
        new TensorInfo(
            id + ".weight", Dtype.BF16, List.of(64L, 64L), "model.safetensors", 0, 2 * WEIGHTS);
    PlannedTensor tensor = new PlannedTensor(info, role);
    Treatment treatment =
        new Treatment(
            new GridSpec(4, 64, ScaleStorage.ZERO_POINT, 8, true),
            new TransformSpec.None(),
            false,
            Loss.P_NORM,
            Rounding.NEAREST,
            0,
            0,
            false);
    return new Unit.Quantized(
        id, List.of(tensor), List.of(new Part.Stack(Part.RowRange.all(tensor), treatment)));
  }
}
