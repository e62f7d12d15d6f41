package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Settings;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.report.TakenStatistics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Jobs that estimate moments from the weights. */
class EstimateJobTest {
  private static final List<String> LAYERS =
      List.of("statistics/layer-00000.safetensors", "statistics/layer-00001.safetensors");

  @TempDir private Path folder;

  @Test
  void lanesMemoryAndTargetsWorkAsWithTokens() {
    JobFixture one = fixture("a");
    JobFixture two = fixture("b");
    String[] target = {"recipe.target-bpw", "5.2", "recipe.grid.group", "auto"};

    JobResult.Complete complete =
        complete(job(one, with(target, "run.lanes", "1", "run.max-memory", "4g")));
    complete(job(two, with(target, "run.lanes", "2", "run.max-memory", "768m")));

    assertThat(two.files()).isEqualTo(one.files());
    assertThat(one.files().keySet())
        .filteredOn(name -> name.startsWith("statistics/"))
        .containsExactlyElementsOf(LAYERS);
    Manifest.Statistics listed = Objects.requireNonNull(Manifest.read(one.output).statistics());
    assertThat(listed.files()).extracting(Manifest.SideFileEntry::path).isEqualTo(LAYERS);
    assertThat(listed.source()).isEqualTo("weights");
    assertThat(listed.kernels()).containsExactly("java");
    TakenStatistics told = Objects.requireNonNull(complete.report().statistics());
    assertThat(told.source()).isEqualTo("weights");
    assertThat(told.tokens()).isZero();
    assertThat(ResultVerifier.verify(one.output, null, new StopFlag(), unit -> {}).isSound())
        .isTrue();
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

  @ParameterizedTest
  @ValueSource(strings = {"layer-00000.safetensors", "layer-00001.safetensors"})
  void whatIsMissingOrDamagedIsMadeAgainAsItWas(String name) throws IOException {
    JobFixture fixture = fixture("a");
    complete(job(fixture));
    SortedMap<String, String> first = fixture.files();
    Path file = fixture.output.resolve("statistics").resolve(name);

    Files.delete(file);
    Files.delete(fixture.units().getLast());
    complete(job(fixture));
    assertThat(fixture.files()).isEqualTo(first);

    byte[] damaged = Files.readAllBytes(file);
    damaged[damaged.length - 1] ^= 1;
    Files.write(file, damaged);
    assertThat(complete(job(fixture)).already()).isFalse();
    assertThat(fixture.files()).isEqualTo(first);
    assertThat(complete(job(fixture)).already()).isTrue();
  }

  private JobFixture fixture(String name) {
    return new JobFixture(folder.resolve(name));
  }

  private static String[] with(String[] some, String... others) {
    String[] all = new String[some.length + others.length];
    System.arraycopy(some, 0, all, 0, some.length);
    System.arraycopy(others, 0, all, some.length, others.length);
    return all;
  }

  private static Settings settings(String... changes) {
    return JobFixture.settings(
        with(
            new String[] {"run.backend", "scalar", "recipe.statistics.source", "weights"},
            changes));
  }

  private static SoloJob job(JobFixture fixture, String... changes) {
    return new SoloJob(fixture.source, fixture.output, settings(changes), "1", fixture.events::add);
  }

  private static JobResult.Complete complete(SoloJob job) {
    JobResult result = job.run();
    assertThat(result).isInstanceOf(JobResult.Complete.class);
    return (JobResult.Complete) result;
  }
}
