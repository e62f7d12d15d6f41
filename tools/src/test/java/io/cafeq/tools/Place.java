package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A folder for one failure: a small model, copies of it, and results.
 *
 * @param folder with a name that a shell does not take as one word
 */
record Place(Path folder) {
  private static final Pattern EXCLUDE = Pattern.compile("--exclude '([^']+)'");
  private static final long ONE_SHARD = 1_000_000;

  Path model() {
    return folder.resolve("model");
  }

  Path out() {
    return folder.resolve("out");
  }

  Path another() {
    return folder.resolve("another");
  }

  /** Writes the model in one file. */
  Place whole() {
    return model(Dtype.BF16, ONE_SHARD);
  }

  /** Writes the model in several files with an index. */
  Place sharded() {
    return model(Dtype.BF16, 20_000);
  }

  Place model(Dtype dtype, long shard) {
    SampleCheckpoint.write(
        new SampleShape(
            1, 32, 64, 4, 2, 64, dtype, false, SampleShape.Distribution.GAUSSIAN, 0, shard),
        1,
        model(),
        new StopFlag());
    return this;
  }

  /** The first file of the model whose name ends so. */
  Path file(String ending) throws IOException {
    try (var files = Files.list(model())) {
      return files
          .filter(file -> file.toString().endsWith(ending))
          .sorted()
          .findFirst()
          .orElseThrow();
    }
  }

  CommandRun plan() {
    return run("plan", model().toString());
  }

  /** By the cheapest method, into {@link #out()}. */
  CommandRun quantize(String... more) {
    return quantize(out(), more);
  }

  CommandRun quantize(Path out, String... more) {
    return cafeq(out, with(List.of("--method", "rtn"), more));
  }

  /** The same with a method, or the default one. */
  CommandRun cafeq(Path out, String... more) {
    List<String> own =
        List.of(
            "quantize",
            model().toString(),
            "--out",
            out.toString(),
            "--backend",
            "scalar",
            "--lanes",
            "1",
            "--steps",
            "2",
            "--pair-steps",
            "2",
            "--group",
            "16");
    String[] all = with(own, more);
    return run(
        List.of(all).contains("--statistics") ? all : with(List.of(all), "--statistics", "none"));
  }

  /** A result of the model without failure. */
  Place quantized(String... more) {
    whole();
    assertThat(quantize(more)).matches(run -> run.exitCode() == 0);
    return this;
  }

  static String[] with(List<String> first, String... more) {
    List<String> all = new ArrayList<>(first);
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  static CommandRun run(String... arguments) {
    return CommandRun.of(arguments);
  }

  /** The pattern that a remedy gives. */
  static String excluded(CommandRun failed) {
    return found(failed, EXCLUDE);
  }

  /** What the group of a pattern matches in all that was said. */
  static String found(CommandRun failed, String pattern) {
    return found(failed, Pattern.compile(pattern));
  }

  private static String found(CommandRun failed, Pattern pattern) {
    Matcher matcher = pattern.matcher(failed.err() + failed.out());
    assertThat(matcher.find()).as(pattern + " in " + failed).isTrue();
    return matcher.group(1);
  }

  /** Replaces what matches the pattern. */
  static void edit(Path file, String from, String to) throws IOException {
    String text = Files.readString(file);
    assertThat(text).containsPattern(from);
    Files.writeString(file, text.replaceFirst(from, Matcher.quoteReplacement(to)));
  }

  /** Changes one byte in the middle. */
  static void damage(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }

  /** Keeps the file beside the model, so that it can be downloaded again. */
  void keep(Path file) throws IOException {
    Files.copy(file, Files.createDirectory(folder.resolve("kept")).resolve(file.getFileName()));
  }

  /** Downloads the kept file again. */
  void renew() throws IOException {
    try (var kept = Files.list(folder.resolve("kept"))) {
      for (Path file : kept.toList()) {
        Files.move(file, model().resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  static void delete(Path folder) throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException failed)
              throws IOException {
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
