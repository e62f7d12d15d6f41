package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.UnitStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.SortedMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a second run does with what the first one left. */
class ResumeTest {
  @TempDir private Path folder;

  private JobFixture fixture;
  private SortedMap<String, String> first;

  @BeforeEach
  void runOnce() {
    fixture = new JobFixture(folder);
    assertThat(fixture.run()).isInstanceOf(JobResult.Complete.class);
    first = fixture.files();
    fixture.events.clear();
  }

  @Test
  void aCompleteResultIsConfirmedWithItsOwnReport() throws IOException {
    byte[] report = Files.readAllBytes(fixture.output.resolve("report.json"));

    assertThat(fixture.run())
        .isInstanceOfSatisfying(
            JobResult.Complete.class,
            complete -> {
              assertThat(complete.already()).isTrue();
              assertThat(complete.report().units())
                  .allMatch(entry -> entry.status() == UnitStatus.DONE);
            });

    assertThat(Files.readAllBytes(fixture.output.resolve("report.json"))).isEqualTo(report);
    assertThat(fixture.files()).isEqualTo(first);
    assertThat(fixture.finished()).isZero();
  }

  @Test
  void settingsThatChangeNoByteMayChange() {
    assertThat(fixture.run("run.lanes", "1", "run.max-memory", "1g"))
        .isInstanceOfSatisfying(
            JobResult.Complete.class, complete -> assertThat(complete.already()).isTrue());
  }

  @Test
  void anotherRecipeIsRefusedWithTheKeysThatDiffer() {
    EngineException failure = refused("recipe.grid.bits", "3", "recipe.seed", "7");

    assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(failure)
        .hasMessageContaining("bits: this folder has auto, you asked for 3")
        .hasMessageContaining("seed: this folder has 0, you asked for 7");
    assertThat(failure.getMessage()).doesNotContain("group").doesNotContain("hash");
    assertThat(failure.remedy()).contains("--out");
    assertThat(fixture.files()).isEqualTo(first);
  }

  @Test
  void aChangedByteOfTheSourceIsFoundThoughSizeAndTimeAreTheSame() throws IOException {
    changeLastByte(fixture.source.resolve("model-00002-of-00003.safetensors"));

    EngineException failure = refused();

    assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(failure).hasMessageContaining("model.layers.1.");
    assertThat(fixture.files()).isEqualTo(first);
  }

  @Test
  void aChangedSideFileOfTheSourceIsRefused() {
    JobFixture.write(fixture.source.resolve("tokenizer.json"), "{\"words\": {}}");

    assertThat(refused()).hasMessageContaining("tokenizer.json");
    assertThat(fixture.files()).isEqualTo(first);
  }

  @Test
  void aDeletedUnitIsMadeAgain() throws IOException {
    Files.delete(fixture.units().get(2));

    assertThatOneIsMadeAgain();
  }

  @Test
  void aTruncatedUnitIsMadeAgain() throws IOException {
    try (FileChannel file = FileChannel.open(fixture.units().get(3), StandardOpenOption.WRITE)) {
      file.truncate(file.size() - 5);
    }

    assertThatOneIsMadeAgain();
  }

  @Test
  void aChangedByteOfAUnitIsFound() throws IOException {
    changeByte(fixture.units().get(3), 400);

    assertThatOneIsMadeAgain();
  }

  @Test
  void anEmptyUnitIsMadeAgain() throws IOException {
    Files.write(fixture.units().get(1), new byte[0]);

    assertThatOneIsMadeAgain();
  }

  @Test
  void aDamagedSideFileIsCopiedAgain() {
    JobFixture.write(fixture.output.resolve("tokenizer.json"), "{");

    assertThat(fixture.run()).isInstanceOf(JobResult.Complete.class);
    assertThat(fixture.files()).isEqualTo(first);
    assertThat(fixture.finished()).isZero();
  }

  @Test
  void aDeletedReportIsMadeFromTheUnits() throws IOException {
    Files.delete(fixture.output.resolve("report.json"));

    assertThat(fixture.run())
        .isInstanceOfSatisfying(
            JobResult.Complete.class,
            complete -> {
              assertThat(complete.already()).isTrue();
              assertThat(complete.report().units())
                  .allMatch(entry -> entry.status() == UnitStatus.KEPT);
              assertThat(complete.report().totals().plain()).isNotNull();
            });
    assertThat(fixture.output.resolve("report.json")).exists();
  }

  @Test
  void partsAreRemoved() throws IOException {
    Files.delete(fixture.output.resolve("manifest.json"));
    Path unit = fixture.units().get(2);
    Files.move(unit, unit.resolveSibling(unit.getFileName() + ".part"));

    assertThatOneIsMadeAgain();
  }

  @Test
  void aForeignFileAmongTheUnitsIsRefusedAndKept() {
    Path foreign = fixture.output.resolve("units/mine.arrow");
    JobFixture.write(foreign, "mine");

    assertThat(refused()).hasMessageContaining("mine.arrow");
    assertThat(foreign).hasContent("mine");
  }

  @Test
  void otherFilesInTheFolderAreLeftAlone() throws IOException {
    JobFixture.write(fixture.output.resolve("notes.txt"), "mine");
    Files.delete(fixture.units().get(2));

    assertThat(fixture.run()).isInstanceOf(JobResult.Complete.class);
    assertThat(fixture.output.resolve("notes.txt")).hasContent("mine");
  }

  @Test
  void aDamagedIdentityIsRefused() {
    for (String damage : List.of("{", "{}", "[]", "")) {
      JobFixture.write(fixture.output.resolve(".cafeq/identity.json"), damage);
      assertThat(refused()).hasMessageContaining("identity.json");
    }
  }

  private void assertThatOneIsMadeAgain() {
    int all = first.keySet().stream().filter(name -> name.startsWith("units/")).toList().size();

    assertThat(fixture.run())
        .isInstanceOfSatisfying(
            JobResult.Complete.class,
            complete -> {
              assertThat(complete.already()).isFalse();
              assertThat(complete.report().units())
                  .filteredOn(entry -> entry.status() == UnitStatus.DONE)
                  .hasSize(1);
              assertThat(complete.report().units())
                  .filteredOn(entry -> entry.status() == UnitStatus.KEPT)
                  .hasSize(all - 1);
            });
    assertThat(fixture.files()).isEqualTo(first);
    assertThat(fixture.kept()).isEqualTo(all - 1);
  }

  private EngineException refused(String... changes) {
    JobResult result = fixture.run(changes);
    assertThat(result).isInstanceOf(JobResult.Refused.class);
    return ((JobResult.Refused) result).failure();
  }

  private static void changeLastByte(Path file) throws IOException {
    changeByte(file, Files.size(file) - 1);
  }

  private static void changeByte(Path file, long position) throws IOException {
    FileTime time = Files.getLastModifiedTime(file);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer one = ByteBuffer.allocate(1);
      channel.read(one, position);
      one.put(0, (byte) (one.get(0) ^ 1));
      channel.write(one.flip(), position);
    }
    Files.setLastModifiedTime(file, time);
  }
}
