package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What units of random small plans take is at most what they claim. */
class UnitMemoryTest {
  /** What every worker has on the heap: a writer, a reader, single rows. */
  private static final long SMALL_THINGS = 4L << 20;

  private static final int PLANS = 4;

  @TempDir Path folder;

  @Test
  void noUnitTakesMoreThanItClaims() throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:NativeMemoryTracking=summary",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xmx256m",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            MeasuredUnits.class.getName(),
            folder.toString(),
            "1",
            Integer.toString(PLANS)));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    List<String> lines;
    try (var out = process.inputReader(StandardCharsets.UTF_8)) {
      lines = out.lines().filter(line -> line.startsWith("unit ")).toList();
    }
    assertThat(process.waitFor()).isZero();
    assertThat(lines).hasSizeGreaterThan(3 * PLANS);
    for (String line : lines) {
      String[] words = line.split(" ");
      assertThat(Long.parseLong(words[3])).as(line).isLessThanOrEqualTo(Long.parseLong(words[2]));
      assertThat(Long.parseLong(words[5]))
          .as(line)
          .isLessThanOrEqualTo(Long.parseLong(words[4]) + SMALL_THINGS);
    }
  }
}
