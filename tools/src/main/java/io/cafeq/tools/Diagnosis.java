package io.cafeq.tools;

import io.cafeq.config.MachineMemory;
import io.cafeq.config.RunSettings;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeProvider;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.tokens.TokenizerLibrary;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What this machine and this process offer.
 *
 * @param missingFlags what the launcher would have set and this process lacks
 * @param usable whether quantizing works here
 */
record Diagnosis(
    boolean usable,
    String version,
    String java,
    String operatingSystem,
    String architecture,
    int processors,
    long memoryBytes,
    String temporaryFolder,
    long temporaryFreeBytes,
    List<Backend> backends,
    Tokenizers tokenizers,
    List<String> missingFlags,
    List<Problem> problems) {

  /** Native libraries of the backends are unpacked on first use and take about this much. */
  private static final long UNPACKED_LIBRARIES = 400_000_000L;

  private static final List<String> JVM_FLAGS =
      List.of(
          "--enable-native-access=ALL-UNNAMED",
          "--sun-misc-unsafe-memory-access=allow",
          "--add-opens=java.base/java.nio=ALL-UNNAMED",
          "-XX:+UseSerialGC",
          "-Dorg.bytedeco.javacpp.maxphysicalbytes=0");
  private static final List<String> ENVIRONMENT =
      List.of("MALLOC_ARENA_MAX=2", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1");

  /** One compute backend; {@code detail} says with what it works or why it does not. */
  record Backend(String id, boolean available, String detail) {}

  /** The native tokenizers; {@code detail} says which they are or why they do not work. */
  record Tokenizers(boolean available, String detail) {}

  /** A problem to fix; {@code fatal} where quantizing does not work without. */
  record Problem(boolean fatal, String what, String remedy) {}

  Diagnosis {
    backends = List.copyOf(backends);
    missingFlags = List.copyOf(missingFlags);
    problems = List.copyOf(problems);
  }

  /** Examines everything; loads the native libraries of the backends. */
  static Diagnosis make() {
    List<Problem> problems = new ArrayList<>();
    int feature = Runtime.version().feature();
    if (feature != 25) {
      problems.add(
          new Problem(
              feature < 25,
              "this is Java " + feature + ", and CafeQ is tested on Java 25",
              "Install a JDK 25 and point CAFEQ_JAVA_HOME to it."));
    }
    long memory = MachineMemory.totalBytes();
    if (memory < RunSettings.LEAST_MEMORY) {
      problems.add(
          new Problem(
              true,
              "%s of memory is less than the %s that a run needs at least"
                  .formatted(Amounts.bytes(memory), Amounts.bytes(RunSettings.LEAST_MEMORY)),
              "Use a machine with more memory."));
    }
    List<Backend> backends = backends(problems);
    Tokenizers tokenizers = tokenizers(problems);
    Path temporary = Path.of(System.getProperty("java.io.tmpdir", "/tmp"));
    long free = free(temporary);
    if (free < UNPACKED_LIBRARIES) {
      problems.add(
          new Problem(
              false,
              temporary + " has only " + Amounts.bytes(free) + " free",
              "Free some space there, or set TMPDIR to a folder on another disk."));
    }
    List<String> missing = flagsNotSet();
    if (!missing.isEmpty()) {
      problems.add(
          new Problem(
              false,
              "this process was started without " + String.join(" ", missing),
              "Start with the launcher (bin/cafeq), which sets them."));
    }
    return new Diagnosis(
        problems.stream().noneMatch(Problem::fatal),
        Version.current(),
        Runtime.version()
            + " ("
            + System.getProperty("java.vendor")
            + ", "
            + System.getProperty("java.home")
            + ")",
        System.getProperty("os.name"),
        System.getProperty("os.arch"),
        Runtime.getRuntime().availableProcessors(),
        memory,
        temporary.toString(),
        free,
        backends,
        tokenizers,
        missing,
        problems);
  }

  private static List<Backend> backends(List<Problem> problems) {
    List<Backend> backends = new ArrayList<>();
    for (ComputeBackend.Provider provider : Backends.providers()) {
      switch (provider.probe()) {
        case ComputeProvider.Probe.Available(String detail) ->
            backends.add(new Backend(provider.id(), true, detail));
        case ComputeProvider.Probe.Unavailable(String reason, String remedy) -> {
          backends.add(new Backend(provider.id(), false, reason));
          problems.add(
              new Problem(
                  false, "backend " + provider.id() + " does not work here: " + reason, remedy));
        }
      }
    }
    if (backends.stream().noneMatch(Backend::available)) {
      problems.add(
          new Problem(
              true,
              "no compute backend works here",
              "Fix one of the above; scalar needs nothing but Java, so check that the installation"
                  + " is complete."));
    }
    return backends;
  }

  private static Tokenizers tokenizers(List<Problem> problems) {
    try {
      return new Tokenizers(true, TokenizerLibrary.load());
    } catch (EngineException e) {
      String reason = String.valueOf(e.getMessage());
      problems.add(
          new Problem(
              false,
              reason + "; without it no text is evaluated or taken for statistics",
              e.remedy()));
      return new Tokenizers(false, reason);
    }
  }

  private static List<String> flagsNotSet() {
    List<String> given = ManagementFactory.getRuntimeMXBean().getInputArguments();
    List<String> missing = new ArrayList<>();
    for (String flag : JVM_FLAGS) {
      if (!given.contains(flag)) {
        missing.add(flag);
      }
    }
    for (String variable : ENVIRONMENT) {
      String[] parts = variable.split("=", 2);
      if (!parts[1].equals(System.getenv(parts[0]))) {
        missing.add(variable);
      }
    }
    return missing;
  }

  private static long free(Path folder) {
    try {
      return Files.getFileStore(folder).getUsableSpace();
    } catch (IOException unreadable) {
      return 0;
    }
  }
}
