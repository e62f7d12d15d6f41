package io.cafeq.engine.output;

import java.io.IOException;
import java.nio.file.Path;

/** A process that holds an output folder until its input ends. */
final class FolderHolder {
  private FolderHolder() {}

  public static void main(String[] arguments) throws IOException {
    try (OutputFolder folder =
        OutputFolder.open(Path.of(arguments[0]), Path.of(arguments[1]), new FolderLocks())) {
      System.out.println("held " + folder.root());
      System.in.read();
    }
  }
}
