package io.cafeq.tools;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A real process of a test, both of whose outputs are read while it runs. */
final class RunningProgram {
  private static final long LIMIT_SECONDS = 300;

  private final Process process;
  private final CompletableFuture<String> out;
  private final CompletableFuture<String> err;
  private final Object messageArrived = new Object();
  private final StringBuilder messages = new StringBuilder();
  private boolean allRead;

  /** How a process ended and what it said. */
  record Result(int exitCode, String out, String err) {}

  private RunningProgram(Process process) {
    this.process = process;
    this.out =
        CompletableFuture.supplyAsync(
            () -> readAll(process.getInputStream()), task -> Thread.ofVirtual().start(task));
    this.err =
        CompletableFuture.supplyAsync(this::readMessages, task -> Thread.ofVirtual().start(task));
  }

  static RunningProgram start(ProcessBuilder builder) throws IOException {
    Process process = builder.start();
    process.getOutputStream().close();
    return new RunningProgram(process);
  }

  /** Starts {@code cafeq} with this test's class path and the launcher's flags. */
  static RunningProgram cafeq(List<String> jvmOptions, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>(DefaultSignals.launcher());
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(System.getProperty("cafeq.jvm.flags", "").split(" ")));
    command.addAll(
        List.of(
            "-Xms64m",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:MaxDirectMemorySize=64m",
            "-Dorg.bytedeco.javacpp.maxphysicalbytes=0"));
    command.add(
        "-Dlogback.configurationFile="
            + Repository.distributionSources().resolve("conf/logback.xml"));
    command.addAll(jvmOptions);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("MALLOC_ARENA_MAX", "2");
    builder.environment().put("OMP_NUM_THREADS", "1");
    builder.environment().put("OPENBLAS_NUM_THREADS", "1");
    return start(builder);
  }

  /**
   * Runs {@code cafeq} from the built distribution by its own launcher. Native libraries are
   * unpacked beside it.
   */
  static Result distribution(Path distribution, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(DefaultSignals.launcher());
    command.add(distribution.resolve("bin/cafeq").toString());
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("CAFEQ_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().put("XDG_CACHE_HOME", distribution.resolveSibling("cache").toString());
    return start(builder).await();
  }

  static Result cafeq(String... arguments) throws Exception {
    return cafeq(List.of(), List.of(arguments)).await();
  }

  /** Waits until stderr has had {@code text}; a process that ends before fails the test. */
  void awaitMessage(String text) throws InterruptedException {
    if (!awaitMessageOrEnd(text)) {
      throw new AssertionError("ended without saying \"" + text + "\": " + messages);
    }
  }

  /**
   * Waits until stderr has had {@code text} or the process has ended without it, which gives false.
   * A process that does neither is killed and fails the test.
   */
  boolean awaitMessageOrEnd(String text) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
    synchronized (messageArrived) {
      while (messages.indexOf(text) < 0) {
        if (allRead) {
          return false;
        }
        long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        if (left <= 0) {
          process.destroyForcibly();
          throw new AssertionError(
              "not said within " + LIMIT_SECONDS + " s: \"" + text + "\", but: " + messages);
        }
        messageArrived.wait(left);
      }
      return true;
    }
  }

  long pid() {
    return process.pid();
  }

  /** Whether it ends within that time by itself. */
  boolean endsWithin(Duration time) throws InterruptedException {
    return process.waitFor(time.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Sends a signal by name, as {@code kill} knows it. */
  void signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
        .inheritIO()
        .start()
        .waitFor();
  }

  /** Waits for the end; a process that does not end fails the test. */
  Result await() throws InterruptedException, ExecutionException, TimeoutException {
    if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("still running after " + LIMIT_SECONDS + " s");
    }
    return new Result(
        process.exitValue(),
        out.get(LIMIT_SECONDS, TimeUnit.SECONDS),
        err.get(LIMIT_SECONDS, TimeUnit.SECONDS));
  }

  private String readMessages() {
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        synchronized (messageArrived) {
          messages.append(line).append('\n');
          messageArrived.notifyAll();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      synchronized (messageArrived) {
        allRead = true;
        messageArrived.notifyAll();
      }
    }
    synchronized (messageArrived) {
      return messages.toString();
    }
  }

  private static String readAll(InputStream stream) {
    try (stream) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
