package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tests must run under the flags that users get. */
class LauncherFlagsTest {

  @Test
  void launcherPassesEveryFlagThatTestsRunWith() throws IOException {
    String launcher = Files.readString(Repository.distributionSources().resolve("bin/cafeq"));
    List<String> flags = List.of(System.getProperty("cafeq.jvm.flags", "").split(" "));
    assertThat(flags).hasSizeGreaterThan(2);
    assertThat(launcher.split("\\s+")).containsAll(flags);
  }

  @Test
  void launcherFixesMemoryThreadsAndOutput() throws IOException {
    String launcher = Files.readString(Repository.distributionSources().resolve("bin/cafeq"));
    assertThat(launcher.split("\\s+"))
        .contains(
            "-Xmx\"${heap}m\"",
            "-XX:+UseSerialGC",
            "-Dorg.bytedeco.javacpp.maxphysicalbytes=0",
            "MALLOC_ARENA_MAX=2",
            "OMP_NUM_THREADS=1",
            "OPENBLAS_NUM_THREADS=1",
            "-Dai.djl.offline=true",
            "-DOPT_OUT_TRACKING=true",
            "-Xlog:disable",
            "-Xlog:all=warning:stderr");
  }
}
