package io.cafeq.engine.model;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** Models and texts that lie beside some checkouts. */
public final class Shared {
  private Shared() {}

  /** Skips the test where there is no such file or folder. */
  public static Path require(String path) {
    Optional<Path> found =
        Stream.iterate(Path.of("").toAbsolutePath(), folder -> folder != null, Path::getParent)
            .map(folder -> folder.resolve("shared").resolve(path))
            .filter(Files::exists)
            .findFirst();
    assumeTrue(found.isPresent(), "no ../shared/" + path + " here");
    return found.get();
  }
}
