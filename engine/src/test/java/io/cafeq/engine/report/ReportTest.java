package io.cafeq.engine.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.KeptReason;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.plan.Coverage;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  private static final Measurements MEASURED = new Measurements(2.5, 100, 200, 300);

  @Test
  void outputErrorsCountByWeights() {
    UnitFigures first =
        new UnitFigures(
            100,
            4,
            50.0,
            new ErrorFigures(1, 2.0, 450),
            null,
            null,
            new ErrorFigures(2, 8.0, 450),
            false,
            List.of(),
            "x");
    UnitFigures second =
        new UnitFigures(
            300, 5, 1e-6, new ErrorFigures(3, 1e-8, 1350), null, null, null, false, List.of(), "y");
    UnitFigures without = new UnitFigures(600, 5, figures(3, 1350), null, null, null, false, "z");
    Totals totals =
        Totals.of(
            List.of(done("a", 100, first), done("b", 300, second), done("c", 600, without)),
            MEASURED);
    assertThat(totals.relativeOutputError())
        .isCloseTo(Math.sqrt((100 * 0.04 + 300 * 0.01) / 400), within(1e-12));
    assertThat(totals.plainEqualBits()).isEqualTo(new PlainFigures(Math.sqrt(0.5), 0.4, 4.5));
    assertThat(UnitEntry.of(done("a", 100, first)).relativeOutputError())
        .isCloseTo(0.2, within(1e-12));
    assertThat(UnitEntry.of(done("c", 600, without)).relativeOutputError()).isNull();
  }

  @Test
  void totalsAreSumsOverWhatIsThere() {
    List<UnitResult> results =
        List.of(
            done(
                "a",
                100,
                new UnitFigures(100, 4, figures(1, 450), figures(4, 400), null, null, false, "x")),
            kept("b", 300, new UnitFigures(300, 5, figures(3, 1350), null, null, null, true, "y")),
            done("c", 50, null),
            new UnitResult.Failed(
                unit("d", 70), new UnitFailure(FailureKind.CHECKPOINT, "NaN", "Mend it.")),
            new UnitResult.Missing(unit("e", 70)));

    Totals totals = Totals.of(results, MEASURED);

    assertThat(totals.weights()).isEqualTo(400);
    assertThat(totals.bitsPerWeight()).isEqualTo(4.5);
    assertThat(totals.modelBytes()).isEqualTo(225 + 100);
    assertThat(totals.modelBitsPerWeight()).isEqualTo(8.0 * 325 / 450);
    assertThat(totals.relativeError()).isCloseTo(Math.sqrt(4.0 / 9), within(1e-15));
    assertThat(totals.plain()).isEqualTo(new PlainFigures(1, null, 4));
    assertThat(totals.plainClipped()).isNull();
    assertThat(totals.plainEqualBits()).isNull();
  }

  @Test
  void pairsCountByTheirWeights() {
    PairFigures first = new PairFigures("v", "o", 100, 8, .1, .4, .3, .25, .2, .15);
    PairFigures second = new PairFigures("k", "q", 300, 8, .2, null, .5, null, null, null);
    List<UnitResult> results =
        List.of(
            done("a", 400, withPairs(first, second)),
            done("b", 100, new UnitFigures(100, 4, figures(1, 450), null, null, null, false, "x")));

    PairTotals pairs = Objects.requireNonNull(Totals.of(results, MEASURED).pairs());

    assertThat(pairs.count()).isEqualTo(2);
    assertThat(pairs.countLearned()).isEqualTo(1);
    assertThat(pairs.result()).isCloseTo(Math.sqrt((.01 + 3 * .04) / 4), within(1e-15));
    assertThat(pairs.none()).isCloseTo(Math.sqrt((.09 + 3 * .25) / 4), within(1e-15));
    assertThat(pairs.rotation()).isCloseTo(.2, within(1e-15));
    assertThat(pairs.learned()).isCloseTo(.15, within(1e-15));
    assertThat(UnitEntry.of(results.getFirst()).pairs())
        .containsExactly(
            new PairEntry("v", "o", 100, .1, .3, .4, .25, .2, .15),
            new PairEntry("k", "q", 300, .2, .5, null, null, null, null));
    assertThat(UnitEntry.of(results.getLast()).pairs()).isEmpty();
    assertThat(Totals.of(results.subList(1, 2), MEASURED).pairs()).isNull();
  }

  @Test
  void nothingAndZerosGiveNumbers() {
    Totals nothing = Totals.of(List.of(), MEASURED);
    Totals zeros =
        Totals.of(
            List.of(
                done(
                    "a",
                    10,
                    new UnitFigures(
                        10, 0, figures(0, 40), figures(0, 40), null, null, false, "x"))),
            MEASURED);

    assertThat(nothing.bitsPerWeight()).isZero();
    assertThat(nothing.relativeError()).isZero();
    assertThat(zeros.relativeError()).isZero();
    assertThat(zeros.plain()).isEqualTo(new PlainFigures(0, null, 4));
  }

  @Test
  void notANumberNeverGetsIn() {
    assertThatThrownBy(() -> new PlainFigures(Double.NaN, null, 4))
        .hasMessageContaining("relative_error");
    assertThatThrownBy(() -> new PlainFigures(1, null, Double.POSITIVE_INFINITY))
        .hasMessageContaining("bits_per_weight");
    assertThatThrownBy(
            () ->
                Totals.of(
                    List.of(
                        done(
                            "a",
                            1,
                            new UnitFigures(
                                1, 1, figures(Double.NaN, 1), null, null, null, false, ""))),
                    MEASURED))
        .hasMessageContaining("relative_error");
  }

  @Test
  void theJsonHasTheNamesThatScriptsRelyOn(@TempDir Path folder) throws Exception {
    Report report = report();
    ReportFile.write(folder, report);
    JsonNode json =
        JsonMapper.builder().build().readTree(Files.readString(folder.resolve("report.json")));

    assertThat(names(json))
        .containsExactly(
            "status",
            "totals",
            "coverage",
            "units",
            "recipe",
            "source",
            "statistics",
            "machine",
            "version",
            "warnings");
    assertThat(json.path("status").asText()).isEqualTo("partial");
    assertThat(names(json.path("totals")))
        .containsExactly(
            "weights",
            "bits_per_weight",
            "model_bits_per_weight",
            "model_bytes",
            "relative_error",
            "plain",
            "plain_clipped",
            "plain_equal_bits",
            "pairs",
            "seconds",
            "bytes_read",
            "bytes_written",
            "peak_memory_bytes");
    assertThat(names(json.path("totals").path("plain")))
        .containsExactly("relative_error", "bits_per_weight");
    assertThat(json.path("totals").path("plain_clipped").isNull()).isTrue();
    assertThat(names(json.path("units").path(0)))
        .contains(
            "id",
            "tensors",
            "status",
            "fell_back",
            "seconds",
            "relative_error",
            "bits_per_weight",
            "plain",
            "plain_clipped",
            "plain_equal_bits")
        .doesNotContain("error");
    assertThat(names(json.path("totals").path("pairs")))
        .containsExactly("count", "count_learned", "result", "none", "rotation", "learned");
    assertThat(names(json.path("units").path(0).path("pairs").path(0)))
        .containsExactly(
            "left",
            "right",
            "weights",
            "result",
            "none",
            "plain",
            "plain_equal_bits",
            "rotation",
            "learned");
    assertThat(json.path("units").path(0).path("pairs").path(0).path("learned").isNull()).isTrue();
    assertThat(json.path("units").path(1).path("pairs")).isEmpty();
    assertThat(json.path("units").path(1).path("error").path("message").asText()).isEqualTo("NaN");
    assertThat(json.path("units").path(1).path("status").asText()).isEqualTo("failed");
    assertThat(ReportFile.read(folder)).isEqualTo(report);
  }

  @Test
  void reportsFromBeforeThereWerePairsAreRead(@TempDir Path folder) throws Exception {
    JsonMapper mapper = JsonMapper.builder().build();
    ObjectNode json = (ObjectNode) mapper.readTree(ReportFile.toJson(report()));
    ((ObjectNode) json.path("totals")).remove("pairs");
    json.path("units").forEach(unit -> ((ObjectNode) unit).remove("pairs"));
    Files.writeString(folder.resolve("report.json"), mapper.writeValueAsString(json));

    Report read = ReportFile.read(folder);
    assertThat(read.totals().pairs()).isNull();
    assertThat(read.units()).hasSize(2).allSatisfy(unit -> assertThat(unit.pairs()).isEmpty());
  }

  @Test
  void aDamagedReportIsAnError(@TempDir Path folder) throws Exception {
    Files.writeString(folder.resolve("report.json"), "{\"status\": 7");

    assertThatThrownBy(() -> ReportFile.read(folder))
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> assertThat(failure.kind()).isEqualTo(FailureKind.RESULT));
  }

  private static UnitFigures withPairs(PairFigures... pairs) {
    return new UnitFigures(
        400, 4, figures(1, 450), figures(4, 400), null, null, false, List.of(pairs), "x");
  }

  private static Report report() {
    List<UnitResult> results =
        List.of(
            done("a", 100, withPairs(new PairFigures("v", "o", 100, 8, .1, .4, .3, .25, .2, null))),
            new UnitResult.Failed(
                unit("d", 70), new UnitFailure(FailureKind.CHECKPOINT, "NaN", "Mend it.")));
    return new Report(
        JobStatus.PARTIAL,
        Totals.of(results, MEASURED),
        CoverageEntry.of(new Coverage(70, 70, Map.of(KeptReason.EMBEDDINGS, 30L), true)),
        results.stream().map(UnitEntry::of).toList(),
        JsonMapper.builder().build().createObjectNode().put("bits", 4),
        new Source(
            "/models/a",
            "llama",
            List.of(new Source.Shard("model.safetensors", 9)),
            new TreeMap<>()),
        new TakenStatistics(
            "auto",
            "text",
            4096,
            256,
            "ab",
            List.of(new TakenStatistics.TakenFile("statistics/tokens.json", 7, "cd"))),
        new Machine(
            "host",
            "Linux",
            "amd64",
            2,
            "25",
            null,
            null,
            2,
            1L << 30,
            "RssAnon + RssShmem",
            false),
        "1.0",
        List.of(),
        List.of());
  }

  private static List<String> names(JsonNode object) {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  private static ErrorFigures figures(double squaredError, long bits) {
    return new ErrorFigures(squaredError, bits);
  }

  private static UnitResult done(String id, long weights, @Nullable UnitFigures figures) {
    return new UnitResult.Done(unit(id, weights), receipt(id, figures));
  }

  private static UnitResult kept(String id, long weights, @Nullable UnitFigures figures) {
    return new UnitResult.Kept(unit(id, weights), receipt(id, figures));
  }

  private static UnitReceipt receipt(String id, @Nullable UnitFigures figures) {
    return new UnitReceipt(
        id, "units/" + id + ".arrow", 10, "00", new TreeMap<>(), "scalar/java", figures, 1);
  }

  private static Unit unit(String id, long weights) {
    TensorInfo info =
        new TensorInfo(
            id + ".weight", Dtype.BF16, List.of(weights), "model.safetensors", 0, 2 * weights);
    return new Unit.Copied(id, List.of(new PlannedTensor(info, Role.OTHER)));
  }
}
