package io.cafeq.tools;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A small file system in memory, for what only a full or read-only disk shows. Needs root; without
 * it the test is skipped.
 */
final class MountedFolder implements AutoCloseable {
  private final Path folder;

  private MountedFolder(Path folder) {
    this.folder = folder;
  }

  /**
   * @param options of tmpfs, such as {@code size=2m}
   */
  static MountedFolder tmpfs(Path folder, String options) throws Exception {
    Files.createDirectories(folder);
    boolean mounted;
    try {
      mounted = run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder.toString()) == 0;
    } catch (IOException noSuchCommand) {
      mounted = false;
    }
    assumeTrue(mounted, "only root can mount a file system");
    return new MountedFolder(folder);
  }

  Path path() {
    return folder;
  }

  void remount(String options) throws Exception {
    if (run("mount", "-o", "remount," + options, folder.toString()) != 0) {
      throw new AssertionError("cannot mount again with " + options);
    }
  }

  private static int run(String... command) throws IOException, InterruptedException {
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }

  @Override
  public void close() throws Exception {
    run("umount", folder.toString());
  }
}
