package io.cafeq.tools;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The files of a result, by their path in it, with SHA-256 of each. */
final class FolderContent {
  private FolderContent() {}

  /** All files but report.json, which tells of the run and not of the result. */
  static SortedMap<String, String> of(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      SortedMap<String, String> content = new TreeMap<>();
      files
          .filter(Files::isRegularFile)
          .filter(file -> !file.equals(folder.resolve("report.json")))
          .forEach(file -> content.put(folder.relativize(file).toString(), digest(file)));
      return content;
    }
  }

  private static String digest(Path file) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
