package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How large a heap the launcher asks for, by the real script. */
class LauncherHeapTest {
  @BeforeEach
  void needsAShell() {
    assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no POSIX shell here");
  }

  @ParameterizedTest
  @CsvSource({
    "quantize M --out O --lanes 4 --max-memory 768m, 384",
    "quantize M --out O --lanes 9 --max-memory 4g, 384",
    "quantize M --out O --lanes 16 --max-memory 4g, 544",
    "quantize --lanes=16 --max-memory=4GiB M --out=O, 544",
    "quantize M --max-memory 2048MiB --lanes 16 --out O, 512",
    "quantize M --lanes 64 --max-memory 4g, 1024",
    "quantize M --lanes 64 --max-memory 1g, 384"
  })
  void manyLanesGetMoreUpToAFourthOfTheCap(String line, int expected) throws Exception {
    assertThat(heap(line)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "doctor",
        "quantize M --lanes",
        "quantize M --lanes many --max-memory 1.5g",
        "quantize M --lanes 99999999999999999999 --max-memory auto",
        "quantize M --max-memory 'a b'"
      })
  void whatIsNotUnderstoodIsAsIfItWereNotSaid(String line) throws Exception {
    assertThat(heap(line)).isGreaterThanOrEqualTo(384);
  }

  private static int heap(String line) throws Exception {
    return heap(List.of(line.split(" ")));
  }

  /** MiB of the heap for a command line. */
  static int heap(List<String> arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Repository.distributionSources().resolve("bin/java-heap").toString());
    command.addAll(arguments);
    RunningProgram.Result result = RunningProgram.start(new ProcessBuilder(command)).await();
    assertThat(result.exitCode()).isZero();
    assertThat(result.err()).isEmpty();
    return Integer.parseInt(result.out().strip());
  }
}
