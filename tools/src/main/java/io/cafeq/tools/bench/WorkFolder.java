package io.cafeq.tools.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/** A new folder that is deleted on close, with all that is in it. */
public record WorkFolder(Path path) implements AutoCloseable {
  public static WorkFolder below(Path parent) throws IOException {
    return new WorkFolder(Files.createTempDirectory(parent, "cafeq-bench"));
  }

  @Override
  public void close() throws IOException {
    delete(path);
  }

  static void delete(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
