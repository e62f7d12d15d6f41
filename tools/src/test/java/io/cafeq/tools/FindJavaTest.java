package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher's search, by the real script on made-up JDK folders. */
class FindJavaTest {
  @TempDir Path folder;

  @BeforeEach
  void needsAShell() {
    assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no POSIX shell here");
  }

  @Test
  void ownVariableComesFirst() throws Exception {
    Path own = jdk("own", "25.0.1");
    Path usual = jdk("usual", "25");

    RunningProgram.Result found =
        find(Map.of("CAFEQ_JAVA_HOME", own.toString(), "JAVA_HOME", usual.toString()));

    assertThat(found.exitCode()).isZero();
    assertThat(found.out()).isEqualTo(own + "\n");
  }

  @Test
  void ownVariableThatIsWrongIsAnErrorAndNotPassedOver() throws Exception {
    Path old = jdk("old", "21.0.4");
    Path usual = jdk("usual", "25");

    RunningProgram.Result found =
        find(Map.of("CAFEQ_JAVA_HOME", old.toString(), "JAVA_HOME", usual.toString()));

    assertThat(found.exitCode()).isEqualTo(1);
    assertThat(found.out()).isEmpty();
    assertThat(found.err()).contains("CAFEQ_JAVA_HOME is " + old, "not the home of a JDK 25");
  }

  @Test
  void otherVersionsInJavaHomeArePassedOver() throws Exception {
    Path old = jdk("old", "17.0.15");
    Path onPath = jdk("on-path", "25.0.2+10");

    RunningProgram.Result found =
        find(Map.of("JAVA_HOME", old.toString(), "PATH", onPath.resolve("bin") + ":/usr/bin:/bin"));

    assertThat(found.exitCode()).isZero();
    assertThat(found.out()).isEqualTo(onPath.toRealPath() + "\n");
  }

  @Test
  void versionThatOnlyStartsWithTheSameDigitsIsAnother() throws Exception {
    RunningProgram.Result found =
        find(Map.of("CAFEQ_JAVA_HOME", jdk("later", "250.0.1").toString()));

    assertThat(found.exitCode()).isEqualTo(1);
  }

  @Test
  void homeFoldersOfVersionManagersAreSearched() throws Exception {
    Path managed = jdk(".sdkman/candidates/java/25.0.1-tem", "25.0.1");

    RunningProgram.Result found = find(Map.of("HOME", folder.toString(), "PATH", "/usr/bin:/bin"));

    assertThat(found.exitCode()).isZero();
    // A machine that has a JDK 25 in a system folder finds that one first.
    assertThat(found.out().strip())
        .satisfies(
            home ->
                assertThat(home.equals(managed.toString()) || !home.startsWith(folder.toString()))
                    .isTrue());
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = folder.resolve(name);
    Path java = Files.createDirectories(home.resolve("bin")).resolve("java");
    Files.writeString(java, "#!/bin/sh\n");
    assertThat(java.toFile().setExecutable(true)).isTrue();
    Files.writeString(
        home.resolve("release"), "IMPLEMENTOR=\"Somebody\"\nJAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  private static RunningProgram.Result find(Map<String, String> environment) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
            "/bin/sh", Repository.distributionSources().resolve("bin/find-java").toString());
    builder.environment().keySet().removeAll(java.util.Set.of("CAFEQ_JAVA_HOME", "JAVA_HOME"));
    builder.environment().putAll(environment);
    return RunningProgram.start(builder).await();
  }
}
