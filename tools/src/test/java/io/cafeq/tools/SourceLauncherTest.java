package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The script at the root: the real one in a small source tree of its own, with a build that only
 * counts how often it ran.
 */
class SourceLauncherTest {
  private static final String COUNTING_BUILD =
      """
      #!/bin/sh
      echo built >>"$BUILDS"
      if [ -n "${BROKEN:-}" ]; then echo "it does not compile" >&2; exit 1; fi
      echo "chatter of the build"
      bin=tools/target/distribution/cafeq-1.2.3/bin
      mkdir -p "$bin"
      printf '#!/bin/sh\\necho "started with $*"\\n' >"$bin/cafeq"
      chmod +x "$bin/cafeq"
      """;

  @TempDir Path folder;

  private Path tree;
  private Path builds;

  @BeforeEach
  void makeTree() throws IOException {
    assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no POSIX shell here");
    tree = folder.resolve("a tree");
    builds = folder.resolve("builds");
    write("pom.xml", "<project>\n  <version>1.2.3</version>\n</project>\n");
    for (String module : List.of("config", "engine", "actors", "tools")) {
      write(module + "/pom.xml", "<project/>\n");
      write(module + "/src/main/java/A.java", "class A {}\n");
    }
    write("engine/src/main/java/B.java", "class B {}\n");
    write(".mvn/maven.config", "");
    executable(write("cafeq", Files.readString(Repository.root().resolve("cafeq"))));
    Path find = Repository.distributionSources().resolve("bin/find-java");
    executable(write("tools/src/dist/bin/find-java", Files.readString(find)));
    write("jdk/release", "JAVA_VERSION=\"25\"\n");
    executable(write("jdk/bin/java", ""));
    executable(write("jdk/bin/javac", ""));
    executable(write("path/mvn", COUNTING_BUILD));
    try (Stream<Path> files = Files.walk(tree)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(1, ChronoUnit.DAYS)));
      }
    }
  }

  @Test
  void firstUseBuildsAndTheNextStartsAtOnce() throws Exception {
    RunningProgram.Result first = cafeq();
    RunningProgram.Result second = cafeq();

    assertThat(first.exitCode()).as(first.err()).isZero();
    assertThat(first.out()).isEqualTo("started with --some option\n");
    assertThat(first.err())
        .contains("building on first use")
        .doesNotContain("chatter of the build");
    assertThat(second.out()).isEqualTo("started with --some option\n");
    assertThat(second.err()).isEmpty();
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void aNewerSourceBuildsAgain() throws Exception {
    cafeq();
    Path stamp = tree.resolve("tools/target/distribution/sources");
    Files.setLastModifiedTime(
        tree.resolve("engine/src/main/java/B.java"),
        FileTime.from(Files.getLastModifiedTime(stamp).toInstant().plusSeconds(1)));

    assertThat(cafeq().err()).contains("a source has changed");
    assertThat(builds()).isEqualTo(2);
  }

  @Test
  void aSourceThatIsGoneBuildsAgain() throws Exception {
    cafeq();
    Files.delete(tree.resolve("engine/src/main/java/B.java"));

    cafeq();
    cafeq();

    assertThat(builds()).isEqualTo(2);
  }

  @Test
  void testsAndBuiltFilesAreNoSources() throws Exception {
    cafeq();
    write("engine/src/test/java/BTest.java", "class BTest {}\n");
    write("engine/target/classes/B.class", "");

    cafeq();

    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void aBrokenBuildShowsItsErrorsAndIsTriedAgain() throws Exception {
    RunningProgram.Result broken = start("BROKEN", "yes").await();

    assertThat(broken.exitCode()).isEqualTo(1);
    assertThat(broken.out()).isEmpty();
    assertThat(broken.err()).contains("it does not compile", "the build failed");
    assertThat(cafeq().exitCode()).isZero();
  }

  @Test
  void concurrentFirstUsesBuildOnce() throws Exception {
    assumeTrue(
        Stream.of("/usr/bin/flock", "/bin/flock").map(Path::of).anyMatch(Files::isExecutable),
        "no flock here");
    List<RunningProgram> programs = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      programs.add(start("UNUSED", ""));
    }

    for (RunningProgram program : programs) {
      assertThat(program.await().out()).isEqualTo("started with --some option\n");
    }
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void aMissingMavenIsOneClearMessage() throws Exception {
    Files.delete(tree.resolve("path/mvn"));
    Path tools = Files.createDirectories(folder.resolve("tools"));
    for (String tool :
        List.of(
            "dirname",
            "readlink",
            "find",
            "sed",
            "head",
            "sort",
            "cat",
            "flock",
            "mkdir",
            "rm",
            "mv")) {
      Path real =
          Stream.of("/usr/bin", "/bin")
              .map(bin -> Path.of(bin, tool))
              .filter(Files::exists)
              .findFirst()
              .orElseThrow();
      Files.createSymbolicLink(tools.resolve(tool), real);
    }
    ProcessBuilder builder = builder();
    builder.environment().put("PATH", tools.toString());

    RunningProgram.Result result = RunningProgram.start(builder).await();

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.err()).contains("Maven is missing");
  }

  private RunningProgram.Result cafeq() throws Exception {
    return start("UNUSED", "").await();
  }

  private RunningProgram start(String variable, String value) throws IOException {
    ProcessBuilder builder = builder();
    builder.environment().put(variable, value);
    return RunningProgram.start(builder);
  }

  private ProcessBuilder builder() {
    ProcessBuilder builder =
        new ProcessBuilder(tree.resolve("cafeq").toString(), "--some", "option");
    builder.environment().put("CAFEQ_JAVA_HOME", tree.resolve("jdk").toString());
    builder.environment().put("BUILDS", builds.toString());
    builder
        .environment()
        .merge("PATH", tree.resolve("path").toString(), (old, ours) -> ours + ":" + old);
    return builder;
  }

  private long builds() throws IOException {
    try (Stream<String> lines = Files.lines(builds)) {
      return lines.count();
    }
  }

  private Path write(String name, String text) throws IOException {
    Path file = tree.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, text);
  }

  private static void executable(Path file) {
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }
}
