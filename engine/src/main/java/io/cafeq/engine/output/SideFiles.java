package io.cafeq.engine.output;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/** Copies a checkpoint's small files into a result. */
public final class SideFiles {
  private static final long BUFFER = 1 << 18;

  private final Path source;
  private final List<Path> files;

  /**
   * @param source the checkpoint's folder
   * @param files files in it; those whose name a result needs for itself are left out
   */
  public SideFiles(Path source, List<Path> files) {
    this.source = source;
    this.files =
        files.stream()
            .filter(file -> !isReserved(source, file))
            .sorted(Comparator.comparing(file -> name(source, file)))
            .toList();
  }

  /** Files among {@code files} that cannot go along, since a result has files of these names. */
  public static List<Path> leftOut(Path source, List<Path> files) {
    return files.stream().filter(file -> isReserved(source, file)).toList();
  }

  /**
   * Copies all, each whole or not at all, with ordinary modes. Sorted by name. Throws with kind
   * ENVIRONMENT.
   */
  public List<SideFile> copyTo(Path folder, StopFlag stop) {
    List<SideFile> copied = new ArrayList<>();
    for (Path file : files) {
      stop.check();
      copied.add(copy(file, folder.resolve(name(source, file))));
    }
    return copied;
  }

  /** What a copy would hold now, without copying. Sorted by name. */
  public List<SideFile> describe(StopFlag stop) {
    List<SideFile> described = new ArrayList<>();
    for (Path file : files) {
      try {
        described.add(new SideFile(name(source, file), Files.size(file), Digests.file(file, stop)));
      } catch (IOException e) {
        throw FileFailure.of("read", file, e);
      }
    }
    return described;
  }

  /** Whether {@code folder} has good copies of all of them. */
  public boolean areIn(Path folder, StopFlag stop) {
    for (Path file : files) {
      Path copy = folder.resolve(name(source, file));
      if (!Files.isRegularFile(copy)
          || !Digests.file(copy, stop).equals(Digests.file(file, stop))) {
        return false;
      }
    }
    return true;
  }

  /** Bytes of all of them. */
  public long bytes() {
    long bytes = 0;
    for (Path file : files) {
      try {
        bytes += Files.size(file);
      } catch (IOException e) {
        throw FileFailure.of("read", file, e);
      }
    }
    return bytes;
  }

  private SideFile copy(Path from, Path to) {
    Path parent = Objects.requireNonNull(to.getParent());
    try {
      Files.createDirectories(parent);
    } catch (IOException e) {
      throw FileFailure.of("create", parent, e);
    }
    long bytes = 0;
    MessageDigest digest = Digests.sha256();
    try (Arena arena = Arena.ofConfined();
        FileChannel in = FileChannel.open(from, StandardOpenOption.READ);
        DurableFile out = DurableFile.create(to)) {
      MemorySegment segment = arena.allocate(BUFFER);
      ByteBuffer buffer = segment.asByteBuffer();
      while (in.read(buffer.clear()) >= 0) {
        digest.update(buffer.flip());
        bytes += buffer.limit();
        out.append(segment.asSlice(0, buffer.limit()));
      }
      out.publish();
      if (Files.getFileStore(to).supportsFileAttributeView("posix")) {
        Files.setPosixFilePermissions(to, PosixFilePermissions.fromString("rw-r--r--"));
      }
    } catch (IOException e) {
      throw FileFailure.of("copy", from, e);
    }
    return new SideFile(name(source, from), bytes, Digests.hex(digest));
  }

  private static boolean isReserved(Path source, Path file) {
    return ResultLayout.isReserved(source.relativize(file));
  }

  private static String name(Path source, Path file) {
    return source.relativize(file).toString().replace('\\', '/');
  }
}
