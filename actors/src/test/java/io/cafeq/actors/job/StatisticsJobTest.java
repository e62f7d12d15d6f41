package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.config.Settings;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.report.TakenStatistics;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Jobs that take statistics on their way. */
class StatisticsJobTest {
  private static final String[] RECIPE = {
    "recipe.method",
    "cafeq",
    "recipe.transform.steps",
    "3",
    "recipe.pairs.steps",
    "3",
    "run.backend",
    "scalar",
    "recipe.statistics.source",
    "random",
    "recipe.statistics.tokens",
    "128",
    "recipe.statistics.window",
    "32"
  };

  @TempDir private Path folder;

  @Test
  void lanesAndMemoryChangeNoByte() {
    JobFixture one = fixture("a");
    JobFixture two = fixture("b");

    JobResult.Complete complete = complete(job(one, "run.lanes", "1", "run.max-memory", "4g"));
    complete(job(two, "run.lanes", "2", "run.max-memory", "768m"));

    assertThat(two.files()).isEqualTo(one.files());
    assertThat(one.files())
        .containsKeys(
            "statistics/tokens.json",
            "statistics/layer-00000.safetensors",
            "statistics/layer-00001.safetensors");
    Manifest.Statistics listed = Objects.requireNonNull(Manifest.read(one.output).statistics());
    assertThat(listed.files())
        .extracting(Manifest.SideFileEntry::path)
        .containsExactly(
            "statistics/layer-00000.safetensors",
            "statistics/layer-00001.safetensors",
            "statistics/tokens.json");
    TakenStatistics told = Objects.requireNonNull(complete.report().statistics());
    assertThat(told.source()).isEqualTo("random");
    assertThat(told.tokens()).isEqualTo(128);
    assertThat(told.files()).hasSize(3);
    assertThat(one.events)
        .filteredOn(JobEvent.StatisticsAdvanced.class::isInstance)
        .containsExactly(
            new JobEvent.StatisticsAdvanced(1, 2), new JobEvent.StatisticsAdvanced(2, 2));
  }

  @Test
  void unitsComeLayerByLayer() {
    JobFixture fixture = fixture("a");

    complete(job(fixture, "run.lanes", "1"));

    List<String> started =
        fixture.events.stream()
            .filter(JobEvent.UnitStarted.class::isInstance)
            .map(event -> ((JobEvent.UnitStarted) event).unit().id())
            .toList();
    assertThat(started.getFirst()).startsWith("copied");
    int lastOfFirst =
        started.stream()
            .filter(id -> id.contains("layers.0"))
            .mapToInt(started::indexOf)
            .max()
            .orElseThrow();
    int firstOfSecond =
        started.stream()
            .filter(id -> id.contains("layers.1"))
            .mapToInt(started::indexOf)
            .min()
            .orElseThrow();
    assertThat(lastOfFirst).isLessThan(firstOfSecond);
  }

  @ParameterizedTest
  @ValueSource(strings = {"layer-00000.safetensors", "layer-00001.safetensors", "tokens.json"})
  void whatIsMissingOrDamagedIsMadeAgainAsItWas(String name) throws IOException {
    JobFixture fixture = fixture("a");
    complete(job(fixture));
    SortedMap<String, String> first = fixture.files();
    Path file = fixture.output.resolve("statistics").resolve(name);

    Files.delete(file);
    Files.delete(fixture.units().getLast());
    complete(job(fixture));
    assertThat(fixture.files()).isEqualTo(first);

    changeLastBytes(file);
    assertThat(verdict(fixture).isSound()).isFalse();
    assertThat(complete(job(fixture)).already()).isFalse();
    assertThat(fixture.files()).isEqualTo(first);
    assertThat(verdict(fixture).isSound()).isTrue();
    assertThat(complete(job(fixture)).already()).isTrue();
  }

  @Test
  void aFinishedResultCanDoWithoutItsStatistics() throws IOException {
    JobFixture fixture = fixture("a");
    complete(job(fixture));
    SortedMap<String, String> first = fixture.files();
    for (Path file :
        List.of(
            Path.of("layer-00000.safetensors"),
            Path.of("layer-00001.safetensors"),
            Path.of("tokens.json"),
            Path.of(""))) {
      Files.delete(fixture.output.resolve("statistics").resolve(file));
    }

    assertThat(complete(job(fixture)).already()).isTrue();
    assertThat(verdict(fixture).isSound()).isTrue();
    assertThat(verdict(fixture).statistics()).isEqualTo(ResultVerifier.StatisticsFiles.NOT_THERE);

    Files.delete(fixture.output.resolve("report.json"));
    TakenStatistics told = Objects.requireNonNull(complete(job(fixture)).report().statistics());
    assertThat(told.source()).isEqualTo("random");
    assertThat(told.tokens()).isEqualTo(128);

    Files.delete(fixture.units().getFirst());
    assertThat(complete(job(fixture)).already()).isFalse();
    assertThat(fixture.files()).isEqualTo(first);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void aJobThatIsStoppedAfterALayerGoesOnToTheSameBytes(int layers) {
    JobFixture straight = fixture("a");
    complete(job(straight));
    JobFixture stopped = fixture("b");
    assertThat(stopped.runUntilLayer(settings(), layers))
        .isInstanceOfAny(JobResult.Stopped.class, JobResult.Complete.class);
    complete(job(stopped));

    assertThat(stopped.files()).isEqualTo(straight.files());
  }

  @Test
  void statisticsComeFirstWhereMemoryIsTooSmallForBoth() {
    JobFixture fixture = fixture("a");
    long pool = MemoryBudget.of(768L << 20).pool();
    SoloJob job =
        new SoloJob(
            fixture.source,
            fixture.output,
            settings("run.max-memory", "768m"),
            "1",
            fixture.events::add,
            CopyEngine.needing(pool - (1L << 20)));

    assertThat(job.run()).isInstanceOf(JobResult.Complete.class);

    List<JobEvent> events = fixture.events;
    int lastLayer = events.indexOf(new JobEvent.StatisticsAdvanced(2, 2));
    List<JobEvent> ofLayers =
        events.stream()
            .filter(
                event ->
                    event instanceof JobEvent.UnitStarted started
                        && started.unit().id().contains("layers."))
            .toList();
    assertThat(ofLayers).hasSizeGreaterThan(2);
    assertThat(lastLayer).isBetween(0, events.indexOf(ofLayers.getFirst()));
  }

  @Test
  void aWeightThatIsNoNumberFailsWhatComesAfterItAndSaysWhere() throws IOException {
    JobFixture fixture = fixture("a");
    String name = "model.layers.1.self_attn.q_proj.weight";
    putNaN(fixture.source, name);

    JobResult result = job(fixture).run();

    assertThat(result)
        .isInstanceOfSatisfying(
            JobResult.Partial.class,
            partial -> {
              assertThat(partial.cause().kind()).isEqualTo(FailureKind.CHECKPOINT);
              assertThat(partial.report().units())
                  .filteredOn(entry -> entry.id().contains("layers.0"))
                  .allMatch(entry -> entry.error() == null);
              assertThat(partial.report().units())
                  .filteredOn(entry -> entry.id().contains("layers.1"))
                  .isNotEmpty()
                  .extracting(UnitEntry::error)
                  .allSatisfy(
                      error -> assertThat(Objects.requireNonNull(error).message()).contains(name));
            });
  }

  @Test
  void aTargetIsChosenWithAllStatistics() throws IOException {
    JobFixture straight = fixture("a");
    JobFixture resumed = fixture("b");
    String[] target = {"recipe.target-bpw", "5.2", "recipe.grid.group", "auto"};
    complete(job(straight, target));
    complete(job(resumed, target));
    Files.delete(resumed.units().getFirst());
    Files.delete(resumed.output.resolve("statistics/layer-00001.safetensors"));
    complete(job(resumed, target));

    assertThat(resumed.files()).isEqualTo(straight.files());
    int measured = straight.events.indexOf(new JobEvent.StatisticsAdvanced(2, 2));
    int planned =
        straight.events.stream().map(Object::getClass).toList().indexOf(JobEvent.Planned.class);
    assertThat(measured).isBetween(0, planned);
  }

  @Test
  void aModelThatCannotBeRunIsRefusedAndAutoDoesWithout() throws IOException {
    JobFixture fixture = fixture("a");
    Path config = fixture.source.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"llama\"", "\"unheard_of\""));

    assertThat(job(fixture).run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> {
              assertThat(refused.failure().kind()).isEqualTo(FailureKind.USAGE);
              assertThat(refused.failure()).hasMessageContaining("unheard_of");
            });
    assertThat(fixture.output).doesNotExist();

    JobResult.Complete complete = complete(job(fixture, "recipe.statistics.source", "auto"));
    assertThat(complete.report().statistics()).isNull();
    assertThat(complete.report().warnings())
        .anyMatch(warning -> warning.startsWith("No statistics"));
    assertThat(fixture.output.resolve("statistics")).doesNotExist();
    assertThat(Manifest.read(fixture.output).statistics()).isNull();
  }

  @Test
  void windowsBeyondWhatTheModelKnowsAreRefusedAndAutoEstimates() throws IOException {
    JobFixture fixture = fixture("a");
    Path config = fixture.source.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replaceFirst("\\{", "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}, "));
    Files.writeString(
        config,
        Files.readString(config)
            .replaceFirst(
                "\"max_position_embeddings\"\\s*:\\s*[0-9]+", "\"max_position_embeddings\": 24"));

    assertThat(job(fixture).run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> {
              assertThat(refused.failure().kind()).isEqualTo(FailureKind.USAGE);
              assertThat(refused.failure())
                  .hasMessageContaining("up to 24 tokens, and a window has 32");
              assertThat(refused.failure().remedy()).contains("--statistics-window");
            });
    assertThat(fixture.output).doesNotExist();

    JobResult.Complete complete = complete(job(fixture, "recipe.statistics.source", "auto"));
    assertThat(Objects.requireNonNull(complete.report().statistics()).source())
        .isEqualTo("weights");
    assertThat(complete.report().warnings())
        .anyMatch(warning -> warning.contains("up to 24 tokens"));
    assertThat(complete(job(fixture("b"), "recipe.statistics.window", "24")).report().statistics())
        .isNotNull();
  }

  @Test
  void anotherRecipeIsToldWhatIsDifferent() {
    JobFixture fixture = fixture("a");
    complete(job(fixture));

    assertThat(job(fixture, "recipe.statistics.source", "none").run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused ->
                assertThat(refused.failure())
                    .hasMessageContaining(
                        "statistics: this folder has random, you asked for none"));
    assertThat(job(fixture, "recipe.tensors.include", ".*layers.0.*").run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> assertThat(refused.failure()).hasMessageContaining("include: "));
  }

  @Test
  void withoutATokenizerAutoTakesRandomTokens() throws IOException {
    JobFixture fixture = fixture("a");
    Files.delete(fixture.source.resolve("tokenizer.json"));

    JobResult.Complete complete = complete(job(fixture, "recipe.statistics.source", "auto"));

    TakenStatistics taken = Objects.requireNonNull(complete.report().statistics());
    assertThat(taken.asked()).isEqualTo("auto");
    assertThat(taken.source()).isEqualTo("random");
    assertThat(complete.report().warnings()).anyMatch(warning -> warning.contains("random tokens"));
    assertThat(job(fixture, "recipe.statistics.source", "text").run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> assertThat(refused.failure()).hasMessageContaining("tokenizer.json"));
  }

  @Test
  void aTextIsNeededOnceAndMustNotChange() throws IOException {
    JobFixture fixture = fixture("a");
    Tokenizers.write(fixture.source);
    Path text = Files.writeString(folder.resolve("text"), "abc ".repeat(100));
    String[] source = {"recipe.statistics.source", "file:" + text};
    complete(job(fixture, source));
    SortedMap<String, String> first = fixture.files();
    Files.delete(fixture.units().getLast());

    Files.writeString(text, "cba ".repeat(100));
    assertThat(job(fixture, source).run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> {
              assertThat(refused.failure().kind()).isEqualTo(FailureKind.USAGE);
              assertThat(refused.failure()).hasMessageContaining("the text " + text + " changed");
            });

    Files.delete(fixture.output.resolve("statistics/tokens.json"));
    assertThat(job(fixture, source).run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> assertThat(refused.failure()).hasMessageContaining("tokens"));

    Files.writeString(text, "abc ".repeat(100));
    complete(job(fixture, source));
    assertThat(fixture.files()).isEqualTo(first);

    Files.delete(text);
    Files.delete(fixture.units().getLast());
    complete(job(fixture, source));
    assertThat(fixture.files()).isEqualTo(first);
  }

  @Test
  void textThatTheModelWritesIsWrittenOnce() {
    JobFixture fixture = fixture("a");
    complete(job(fixture, "recipe.statistics.source", "self"));
    String tokens = Objects.requireNonNull(fixture.files().get("statistics/tokens.json"));
    JobFixture again = fixture("b");
    complete(job(again, "recipe.statistics.source", "self", "run.lanes", "1"));

    assertThat(again.files())
        .containsEntry("statistics/tokens.json", tokens)
        .isEqualTo(fixture.files());
  }

  @Test
  void foreignFilesAmongTheStatisticsAreLeftAlone() throws IOException {
    JobFixture fixture = fixture("a");
    complete(job(fixture));
    Path part =
        Files.writeString(fixture.output.resolve("statistics/layer-00001.safetensors.part"), "x");
    complete(job(fixture));
    assertThat(part).doesNotExist();

    Path foreign = Files.writeString(fixture.output.resolve("statistics/mine.txt"), "x");
    assertThat(job(fixture).run())
        .isInstanceOfSatisfying(
            JobResult.Refused.class,
            refused -> assertThat(refused.failure()).hasMessageContaining("mine.txt"));
    assertThat(foreign).exists();
    assertThat(verdict(fixture).isSound()).isFalse();
  }

  private JobFixture fixture(String name) {
    return new JobFixture(folder.resolve(name));
  }

  private static Settings settings(String... changes) {
    String[] all = new String[RECIPE.length + changes.length];
    System.arraycopy(RECIPE, 0, all, 0, RECIPE.length);
    System.arraycopy(changes, 0, all, RECIPE.length, changes.length);
    return JobFixture.settings(all);
  }

  private static SoloJob job(JobFixture fixture, String... changes) {
    return new SoloJob(fixture.source, fixture.output, settings(changes), "1", fixture.events::add);
  }

  private static JobResult.Complete complete(SoloJob job) {
    JobResult result = job.run();
    assertThat(result).as(() -> describe(result)).isInstanceOf(JobResult.Complete.class);
    return (JobResult.Complete) result;
  }

  private static String describe(JobResult result) {
    return switch (result) {
      case JobResult.Refused refused -> String.valueOf(refused.failure());
      case JobResult.Partial(var report, UnitFailure cause) -> cause.toString();
      case JobResult.Stopped stopped -> "stopped";
      case JobResult.Complete complete -> "complete";
    };
  }

  private static ResultVerifier.Verdict verdict(JobFixture fixture) {
    return ResultVerifier.verify(fixture.output, null, new StopFlag(), unit -> {});
  }

  private static void changeLastBytes(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[] {'9', '9', '9', '}'}), channel.size() - 4);
    }
  }

  private static void putNaN(Path source, String name) throws IOException {
    JobFixture.WeightPlace place = JobFixture.place(source, name);
    try (FileChannel channel = FileChannel.open(place.shard(), StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[] {(byte) 0xC0, 0x7F}), place.position());
    }
  }
}
