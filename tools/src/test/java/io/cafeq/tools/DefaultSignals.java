package io.cafeq.tools;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Makes a test's process hear signals whatever started the tests. A shell without job control
 * starts background commands with SIGINT ignored, {@code nohup} does the same with SIGHUP, children
 * inherit that, and a JVM leaves an ignored signal ignored.
 */
final class DefaultSignals {
  private static final List<String> LAUNCHER = List.of("env", "--default-signal=INT,HUP");
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long SIGINT_BIT = 1L << 1;

  private DefaultSignals() {}

  /**
   * Returns what to put before a command so that it starts with the default actions: GNU env 8.31
   * or newer, which executes the command in its own process; nothing where there is none.
   */
  static List<String> launcher() {
    return works() ? LAUNCHER : List.of();
  }

  /** Returns whether a process that a test starts can be interrupted. */
  static boolean reachProcesses() {
    return works() || !ignoresInterrupts();
  }

  private static boolean works() {
    try {
      Process probe =
          new ProcessBuilder("env", LAUNCHER.getLast(), "true").redirectErrorStream(true).start();
      probe.getInputStream().readAllBytes();
      return probe.waitFor() == 0;
    } catch (IOException noEnv) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static boolean ignoresInterrupts() {
    try (var lines = Files.lines(STATUS)) {
      return lines
          .filter(line -> line.startsWith("SigIgn:"))
          .anyMatch(line -> (Long.parseUnsignedLong(line.split("\\s+")[1], 16) & SIGINT_BIT) != 0);
    } catch (IOException notLinux) {
      return false;
    }
  }
}
