package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Where results cannot or must not be written, and recipes that do not fit: what is said, and what
 * is left.
 */
class OutputFolderTest {
  @TempDir static Path shared;
  @TempDir Path folder;

  private static Path model;

  @BeforeAll
  static void writeModel() {
    model = shared.resolve("model");
    SampleCheckpoint.write(
        new SampleShape(
            2, 64, 128, 4, 2, 128, Dtype.BF16, true, SampleShape.Distribution.STUDENT, 0, 1 << 20),
        3,
        model,
        new StopFlag());
  }

  @Test
  void aDiskThatIsTooSmallIsFoundBeforeWorkBegins() throws Exception {
    try (MountedFolder small = MountedFolder.tmpfs(folder.resolve("disk"), "size=64k")) {
      Path out = small.path().resolve("out");

      CommandRun run = quantize(out);
      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.UNITS_MISSING);
      assertThat(run.err()).contains("needs about", "MB are free", "--out");
      assertThat(files(out.resolve("units"))).isEmpty();

      CommandRun plan = CommandRun.of("plan", model.toString(), "--out", out.toString());
      assertThat(plan.exitCode()).as(plan.toString()).isNotZero();
      assertThat(plan.err()).contains("needs about");
    }
  }

  /** Files and folders take an entry each: the bytes suffice, the entries do not. */
  @ParameterizedTest
  @ValueSource(ints = {8, 9, 14, 19, 21, 22})
  void aDiskThatFillsUpLeavesWhatIsDoneAndTheSameCommandContinues(int entries) throws Exception {
    try (MountedFolder small =
        MountedFolder.tmpfs(folder.resolve("disk"), "size=64m,nr_inodes=" + entries)) {
      Path out = small.path().resolve("out");

      CommandRun run = quantize(out);

      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.UNITS_MISSING);
      assertThat(run.err())
          .contains("the disk is full", "same command")
          .doesNotContain("Exception", "unexpected");
      assertThat(out.resolve("manifest.json")).doesNotExist();
      assertThat(files(out.resolve("units"))).allMatch(name -> name.endsWith(".arrow"));

      small.remount("nr_inodes=1000");
      CommandRun again = quantize(out);
      assertThat(again.exitCode()).as(again.toString()).isZero();
      CommandRun verdict = CommandRun.of("verify", out.toString(), "--against", model.toString());
      assertThat(verdict.exitCode()).as(verdict.toString()).isZero();
    }
  }

  @Tag("slow")
  @Test
  void aDiskThatFillsUpWhileUnitsLearn() throws Exception {
    try (MountedFolder small = MountedFolder.tmpfs(folder.resolve("disk"), "size=8m")) {
      Path out = small.path().resolve("out");
      List<String> command =
          List.of(
              "quantize",
              model.toString(),
              "--out",
              out.toString(),
              "--backend",
              "scalar",
              "--lanes",
              "2",
              "--block",
              "16",
              "--steps",
              "400",
              "--max-memory",
              "1g");
      RunningProgram program = RunningProgram.cafeq(List.of(), command);
      program.awaitMessage("cafeq: quantizing");
      Path filler = small.path().resolve("filler");
      fill(filler);

      RunningProgram.Result full = program.await();
      assertThat(full.exitCode()).as(full.err()).isEqualTo(ExitCode.UNITS_MISSING);
      assertThat(full.err())
          .containsAnyOf("the disk is full", "needs about")
          .contains("the same command continues");
      assertThat(out.resolve("manifest.json")).doesNotExist();
      assertThat(files(out.resolve("units"))).allMatch(name -> name.endsWith(".arrow"));

      Files.delete(filler);
      RunningProgram.Result again = RunningProgram.cafeq(List.of(), command).await();
      assertThat(again.exitCode()).as(again.err()).isZero();
    }
  }

  @Test
  void aReadOnlyDisk() throws Exception {
    try (MountedFolder disk = MountedFolder.tmpfs(folder.resolve("disk"), "size=1m")) {
      disk.remount("ro");
      CommandRun run = quantize(disk.path().resolve("out"));
      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.UNITS_MISSING);
      assertThat(run.err())
          .contains(disk.path().toString(), "read-only")
          .doesNotContain(" at io.cafeq");
    }
  }

  @Test
  void aFileInPlaceOfTheFolder() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "text");

    CommandRun run = quantize(file);
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("is a file, not a folder");

    CommandRun below = quantize(file.resolve("out"));
    assertThat(below.exitCode()).as(below.toString()).isIn(ExitCode.USAGE, ExitCode.UNITS_MISSING);
    assertThat(below.err()).contains(file.toString()).doesNotContain("unexpected");
    assertThat(Files.readString(file)).isEqualTo("text");
  }

  @Test
  void aFolderThatHoldsSomethingElse() throws Exception {
    Files.writeString(folder.resolve("thesis.txt"), "text");
    CommandRun run = quantize(folder);
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("thesis.txt", "--out");
    assertThat(files(folder)).containsExactly("thesis.txt");
  }

  @ParameterizedTest
  @CsvSource({"model, is", "model/out, is inside", "., contains"})
  void inOrAboveTheSource(String out, String how) throws Exception {
    List<String> before = files(model);
    CommandRun run = quantize(shared.resolve(out));
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains(how + " the checkpoint's folder", "--out");
    assertThat(files(model)).isEqualTo(before);
  }

  @Test
  void throughALinkIntoTheSource() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("link"), model);
    CommandRun run = quantize(link.resolve("out"));
    Files.delete(link);
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("is inside the checkpoint's folder");
  }

  @Test
  void anotherRecipeIsRefusedWithWhatDiffersAndTheResultStays() throws Exception {
    Path out = folder.resolve("out");
    assertThat(quantize(out).exitCode()).isZero();
    var before = FolderContent.of(out);

    CommandRun run = quantize(out, "--bits", "3", "--group", "32");

    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err())
        .contains(
            "bits: this folder has auto, you asked for 3",
            "group: this folder has auto, you asked for 32",
            "--out");
    assertThat(FolderContent.of(out)).isEqualTo(before);
    CommandRun same = quantize(out, "--lanes", "2", "--progress", "off");
    assertThat(same.exitCode()).as(same.toString()).isZero();
    assertThat(FolderContent.of(out)).isEqualTo(before);
  }

  @Test
  void aTypoInARecipe() throws Exception {
    Path recipe =
        Files.writeString(
            folder.resolve("my.conf"),
            "grid.bits = 3\ntensors.overrides = [\n  { pattern = \".*\", gruop = 8 }\n]\n");
    CommandRun run = quantize(folder.resolve("out"), "--recipe", recipe.toString());
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("my.conf:3", "gruop", "group");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aRecipeThatIsMissingOrNoRecipe() throws Exception {
    CommandRun missing =
        quantize(folder.resolve("out"), "--recipe", folder.resolve("none.conf").toString());
    assertThat(missing.exitCode()).as(missing.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(missing.err()).contains("none.conf");
    Path broken = Files.writeString(folder.resolve("broken.conf"), "grid.bits = {\n");
    CommandRun run = quantize(folder.resolve("out"), "--recipe", broken.toString());
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("broken.conf").doesNotContain("unexpected");
  }

  @ParameterizedTest
  @CsvSource({
    "--include, model\\.layer\\..*",
    "--exclude, q_proj",
    "--include, (",
    "--max-memory, 767m",
    "--max-memory, much",
    "--bits, 9",
    "--bits, 1",
    "--block, 24",
    "--block, 512",
    "--steps, 0",
    "--lanes, 0",
    "--method, magic",
    "--scales, none",
    "--transform-bits, -1",
    "--transform-bits, NaN",
    "--backend, none-such"
  })
  void settingsThatCannotBe(String option, String value) throws Exception {
    CommandRun run =
        CommandRun.of(
            "quantize",
            model.toString(),
            "--out",
            folder.resolve("out").toString(),
            option,
            value,
            "--json");
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    JsonNode error = JsonMapper.builder().build().readTree(run.out()).get("error");
    assertThat(error.get("message").asText()).contains(value);
    assertThat(error.get("remedy").asText()).isNotBlank();
    assertThat(folder.resolve("out").resolve("manifest.json")).doesNotExist();
  }

  private static CommandRun quantize(Path out, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "quantize",
                model.toString(),
                "--out",
                out.toString(),
                "--method",
                "rtn",
                "--backend",
                "scalar",
                "--max-memory",
                "2g"));
    if (!List.of(more).contains("--lanes")) {
      arguments.addAll(List.of("--lanes", "1"));
    }
    arguments.addAll(List.of(more));
    return CommandRun.of(arguments.toArray(String[]::new));
  }

  private static List<String> files(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static void fill(Path file) throws IOException {
    try (var stream = Files.newOutputStream(file)) {
      while (true) {
        stream.write(new byte[1024]);
      }
    } catch (IOException full) {
      assertThat(full.getMessage()).contains("No space left");
    }
  }
}
