package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Settings;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.report.TakenStatistics;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What stored statistics are of, and that nothing else is taken for it. */
class StatisticsSourceTest {
  private static final String FIRST_LAYER = "statistics/layer-00000.safetensors";
  private static final String LAST_LAYER = "statistics/layer-00001.safetensors";
  private static final String TOKENS = "statistics/tokens.json";
  private static final String[] RECIPE = {
    "recipe.method",
    "rtn",
    "run.backend",
    "scalar",
    "recipe.statistics.tokens",
    "128",
    "recipe.statistics.window",
    "32"
  };

  @TempDir private Path folder;
  private JobFixture fixture;

  @BeforeEach
  void write() {
    fixture = new JobFixture(folder.resolve("a"));
  }

  @ParameterizedTest
  @CsvSource({
    "model.embed_tokens.weight, none, ''",
    "model.layers.0.mlp.down_proj.weight, none, ''",
    "model.layers.1.input_layernorm.weight, none, ''",
    "model.layers.0.self_attn.k_proj.weight, none, statistics/layer-00001.safetensors",
    "model.layers.0.self_attn.k_proj.weight, none, statistics/tokens.json",
    "model.layers.1.mlp.up_proj.weight, 5.2, ''",
    "model.layers.0.self_attn.o_proj.weight, 5.2, .cafeq/plan.json .cafeq/identity.json"
  })
  void statisticsOfOtherWeightsAreNotUsed(String tensor, String target, String lost)
      throws IOException {
    String[] recipe = {
      "recipe.statistics.source", "random", "recipe.target-bpw", target, "recipe.grid.group", "auto"
    };
    complete(recipe);
    SortedMap<String, String> first = fixture.files();
    deleteUnits();
    for (String name : lost.isEmpty() ? new String[0] : lost.split(" ")) {
      Files.delete(fixture.output.resolve(name));
    }
    changeWeight(tensor);

    assertThatRefused("the bytes of source tensors changed since statistics/layer-0000", recipe);
    assertThat(fixture.units()).isEmpty();

    changeWeight(tensor);
    complete(recipe);
    assertThat(fixture.files()).isEqualTo(first);
  }

  @Test
  void layersBeforeAChangeAreNoReasonToGoOn() throws IOException {
    complete("recipe.statistics.source", "random");
    deleteUnits();
    Files.delete(fixture.output.resolve(LAST_LAYER));
    changeWeight("model.layers.1.mlp.up_proj.weight");

    complete("recipe.statistics.source", "random");
    JobFixture changed = new JobFixture(folder.resolve("b"));
    changeWeight(changed.source, "model.layers.1.mlp.up_proj.weight");
    new SoloJob(
            changed.source,
            changed.output,
            settings("recipe.statistics.source", "random"),
            "1",
            event -> {})
        .run();
    assertThat(fixture.files()).isEqualTo(changed.files());
  }

  @Test
  void aTextOfOtherWeightsIsNotUsed() throws IOException {
    complete("recipe.statistics.source", "self");
    SortedMap<String, String> first = fixture.files();
    deleteUnits();
    Files.delete(fixture.output.resolve(FIRST_LAYER));
    Files.delete(fixture.output.resolve(LAST_LAYER));
    changeWeight("model.norm.weight");

    assertThatRefused("since the model wrote its text", "recipe.statistics.source", "self");

    changeWeight("model.norm.weight");
    complete("recipe.statistics.source", "self");
    assertThat(fixture.files()).isEqualTo(first);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        FIRST_LAYER + " | \"128\" | \"127\"",
        FIRST_LAYER + " | \"kernel\":\"scalar\" | \"kernel\":\"scular\"",
        TOKENS + " | \"source\" : \"random\" | \"source\" : \"rundom\"",
        TOKENS + " | \"text_sha256\" : \"\" | \"text_sha256\" : \"0\"",
        TOKENS + " | \"window\" : 32 | \"window\" : 33"
      })
  void whatIsSaidOfStatisticsIsMadeAgainWhereItWasChanged(String name, String from, String to)
      throws IOException {
    complete("recipe.statistics.source", "random");
    SortedMap<String, String> first = fixture.files();
    Path file = fixture.output.resolve(name);
    String text = Files.readString(file, StandardCharsets.ISO_8859_1);
    assertThat(text).contains(from);
    Files.writeString(file, text.replace(from, to), StandardCharsets.ISO_8859_1);
    assertThat(ResultVerifier.verify(fixture.output, null, new StopFlag(), unit -> {}).isSound())
        .isFalse();

    complete("recipe.statistics.source", "random");

    assertThat(fixture.files()).isEqualTo(first);
    assertThat(ResultVerifier.verify(fixture.output, null, new StopFlag(), unit -> {}).isSound())
        .isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"random", "self"})
  void theManifestSaysWhichKernelMeasured(String source) throws IOException {
    complete("recipe.statistics.source", source);
    Manifest before = Manifest.read(fixture.output);
    deleteUnits();

    complete("recipe.statistics.source", source, "run.backend", "nd4j");

    Manifest after = Manifest.read(fixture.output);
    assertThat(after.kernels()).doesNotContainAnyElementsOf(before.kernels());
    assertThat(Objects.requireNonNull(after.statistics()).kernels()).isEqualTo(before.kernels());
    assertThat(after.statistics()).isEqualTo(before.statistics());
  }

  @Test
  void aTextsFolderChangesNothingAndStandsInTheReportAlone() throws IOException {
    JobFixture other = new JobFixture(folder.resolve("b"));
    Tokenizers.write(fixture.source);
    Tokenizers.write(other.source);
    String one = text("here").toString();
    String two = text("there").toString();

    JobResult.Complete complete = complete("recipe.statistics.source", "file:" + one);
    assertThat(
            new SoloJob(
                    other.source,
                    other.output,
                    settings("recipe.statistics.source", "file:" + two),
                    "1",
                    event -> {})
                .run())
        .isInstanceOf(JobResult.Complete.class);

    assertThat(other.files()).isEqualTo(fixture.files());
    TakenStatistics told = Objects.requireNonNull(complete.report().statistics());
    assertThat(told.source()).isEqualTo("file:" + one);
    assertThat(told.asked()).isEqualTo("file:" + one);
    assertThat(Objects.requireNonNull(Manifest.read(fixture.output).statistics()).source())
        .isEqualTo("file:text.txt");
    for (String name : fixture.files().keySet()) {
      assertThat(Files.readString(fixture.output.resolve(name), StandardCharsets.ISO_8859_1))
          .as(name)
          .doesNotContain(folder.toString());
    }

    deleteUnits();
    SortedMap<String, String> expected = other.files();
    complete("recipe.statistics.source", "file:" + two);
    assertThat(fixture.files()).isEqualTo(expected);
  }

  private Path text(String name) throws IOException {
    Path file = Files.createDirectory(folder.resolve(name)).resolve("text.txt");
    return Files.writeString(file, "abc ".repeat(100));
  }

  private void deleteUnits() throws IOException {
    for (Path unit : fixture.units()) {
      Files.delete(unit);
    }
    Files.delete(fixture.output.resolve(ResultLayout.MANIFEST));
  }

  private JobResult.Complete complete(String... changes) {
    JobResult result = job(changes).run();
    assertThat(result).isInstanceOf(JobResult.Complete.class);
    return (JobResult.Complete) result;
  }

  private void assertThatRefused(String message, String... changes) {
    assertThat(job(changes).run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> {
              assertThat(refused.failure().kind()).isEqualTo(FailureKind.USAGE);
              assertThat(refused.failure()).hasMessageContaining(message);
            });
  }

  private SoloJob job(String... changes) {
    return new SoloJob(fixture.source, fixture.output, settings(changes), "1", event -> {});
  }

  private static Settings settings(String... changes) {
    return JobFixture.settings(
        List.of(List.of(RECIPE), List.of(changes)).stream()
            .flatMap(List::stream)
            .toArray(String[]::new));
  }

  private void changeWeight(String name) throws IOException {
    changeWeight(fixture.source, name);
  }

  /** Back again the second time. */
  private static void changeWeight(Path source, String name) throws IOException {
    JobFixture.WeightPlace place = JobFixture.place(source, name);
    try (FileChannel channel =
        FileChannel.open(place.shard(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer last = ByteBuffer.allocate(1);
      long at = place.position() + place.bytes() - 2;
      channel.read(last, at);
      last.put(0, (byte) (last.get(0) ^ 1));
      channel.write(last.flip(), at);
    }
  }
}
