package io.cafeq.tools.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;

/** Copies all files of a folder, the limit of whatever reads them. */
record Copying(List<Path> files, double megabytes) {
  static Copying of(Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(folder)) {
      files = all.sorted().toList();
    }
    double megabytes = 0;
    for (Path file : files) {
      megabytes += Files.size(file) / 1e6;
    }
    return new Copying(files, megabytes);
  }

  /** Seconds of copying to a folder, which is deleted afterwards. */
  double seconds(Path to) throws IOException {
    Files.createDirectories(to);
    long start = System.nanoTime();
    for (Path file : files) {
      Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    WorkFolder.delete(to);
    return seconds;
  }
}
