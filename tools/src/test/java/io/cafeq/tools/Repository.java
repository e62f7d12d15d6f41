package io.cafeq.tools;

import java.nio.file.Files;
import java.nio.file.Path;

/** Where the files of this repository lie, from the folder that tests run in. */
final class Repository {
  private Repository() {}

  /** The folder that holds the reactor's pom. */
  static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("cafeq")) || !Files.exists(folder.resolve("pom.xml"))) {
      folder = folder.getParent();
      if (folder == null) {
        throw new IllegalStateException(
            "not inside the repository: " + Path.of("").toAbsolutePath());
      }
    }
    return folder;
  }

  /** The files that the distribution is made of, beside its jars. */
  static Path distributionSources() {
    return root().resolve("tools/src/dist");
  }
}
