package io.cafeq.engine.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputFolderTest {
  private static final Unit UNIT = new Unit.Copied("a", List.of());

  @TempDir private Path folder;

  private final FolderLocks locks = new FolderLocks();
  private Path source;
  private Path output;

  @BeforeEach
  void makeSource() throws Exception {
    source = Files.createDirectories(folder.resolve("models/source"));
    output = folder.resolve("out");
  }

  @Test
  void isCreatedWithItsParents() {
    try (OutputFolder made = OutputFolder.open(folder.resolve("x/y/z"), source, locks)) {
      assertThat(made.unitFile(UNIT).getParent()).isDirectory();
      assertThat(made.hasManifest()).isFalse();
      assertThat(made.earlierIdentity()).isEmpty();
    }
  }

  @Test
  void mayNotBeInOrAboveTheSource() throws Exception {
    refused(() -> OutputFolder.open(source, source, locks), "is the checkpoint's folder");
    refused(() -> OutputFolder.open(source.resolve("out"), source, locks), "is inside");
    refused(() -> OutputFolder.open(folder.resolve("models"), source, locks), "contains");
    Path link = Files.createSymbolicLink(folder.resolve("link"), source);
    refused(() -> OutputFolder.open(link.resolve("out"), source, locks), "is inside");
    refused(() -> OutputFolder.open(source.resolve("../source/out"), link, locks), "is inside");
    assertThat(source).isEmptyDirectory();
  }

  @Test
  void mayNotHoldWhatIsNotOurs() throws Exception {
    Files.createDirectories(output);
    Files.writeString(output.resolve("letter.txt"), "mine");

    refused(() -> OutputFolder.open(output, source, locks), "letter.txt");
    assertThat(output.resolve(".cafeq")).doesNotExist();
  }

  @Test
  void mayNotBeAFile() throws Exception {
    Files.writeString(output, "mine");

    refused(() -> OutputFolder.open(output, source, locks), "is a file");
  }

  @Test
  void isHeldByOneJobOfAProcess() {
    try (OutputFolder held = OutputFolder.open(output, source, locks)) {
      refused(() -> OutputFolder.open(output, source, locks), "another job of this process");
      refused(() -> OutputFolder.open(output, source, locks), "another job of this process");
      assertThat(held.root()).isDirectory();
    }
    OutputFolder.open(output, source, locks).close();
  }

  @Test
  void isHeldAgainstAnotherHostOfTheProcess() {
    try (OutputFolder held = OutputFolder.open(output, source, locks)) {
      refused(
          () -> OutputFolder.open(output, source, new FolderLocks()),
          "another job of this process");
      assertThat(held.root()).isDirectory();
    }
    OutputFolder.open(output, source, new FolderLocks()).close();
  }

  @Test
  void isHeldByOneProcessWhichIsNamed() throws Exception {
    Process holder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                FolderHolder.class.getName(),
                output.toString(),
                source.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader said =
        new BufferedReader(
            new InputStreamReader(holder.getInputStream(), StandardCharsets.UTF_8))) {
      assertThat(said.readLine()).startsWith("held");

      refused(() -> OutputFolder.open(output, source, locks), "process " + holder.pid() + " on ");
    } finally {
      holder.destroyForcibly().waitFor();
    }
    OutputFolder.open(output, source, locks).close();
  }

  @Test
  void partsOfPlannedUnitsAreRemovedAndNothingElse() throws Exception {
    try (OutputFolder open = OutputFolder.open(output, source, locks)) {
      Path part = open.unitFile(UNIT).resolveSibling("a.arrow.part");
      Path aside =
          Files.writeString(
              open.unitFile(UNIT).resolveSibling("a.arrow.first.part"), "of a unit made twice");
      Path other = open.unitFile(UNIT).resolveSibling("b.arrow.part");
      Files.writeString(part, "half");
      Files.writeString(other, "half");

      refused(() -> open.cleanUnits(List.of(UNIT)), "b.arrow.part");

      assertThat(part).doesNotExist();
      assertThat(aside).doesNotExist();
      assertThat(other).exists();
    }
  }

  @Test
  void aFullDiskIsSaidBeforehand() {
    DiskSpace.require(folder, 100, 100);
    assertThatThrownBy(() -> DiskSpace.require(folder, 5_000_000_001L, 2_000_000_000L))
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> {
              assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
              assertThat(failure)
                  .hasMessageContaining("5,001 MB")
                  .hasMessageContaining("2,000 MB are free");
            });
    assertThat(DiskSpace.usable(folder)).isPositive();
  }

  private static void refused(ThrowingCallable action, String words) {
    assertThatThrownBy(action)
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> {
              assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(failure).hasMessageContaining(words);
              assertThat(failure.remedy()).isNotBlank();
            });
  }
}
