package io.cafeq.engine.output;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.StoredFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Copies a checkpoint's small files into a result. */
public final class SideFileCopier {
  private static final long BUFFER = 1 << 18;

  private final CheckpointStore source;
  private final List<String> files;

  /**
   * @param source borrowed
   * @param files names of files in it; those whose name a result needs for itself are left out
   */
  public SideFileCopier(CheckpointStore source, List<String> files) {
    this.source = source;
    this.files = files.stream().filter(file -> !isReserved(file)).sorted().toList();
  }

  /** Files among {@code files} that cannot go along, since a result has files of these names. */
  public static List<String> leftOut(List<String> files) {
    return files.stream().filter(SideFileCopier::isReserved).toList();
  }

  /**
   * Copies all, each whole or not at all, with ordinary modes. Sorted by name. Throws with kind
   * ENVIRONMENT.
   */
  public List<SideFile> copyTo(Path folder, StopFlag stop) {
    List<SideFile> copied = new ArrayList<>();
    for (String file : files) {
      stop.check();
      copied.add(copy(file, folder.resolve(file)));
    }
    return copied;
  }

  /** What a copy would hold now, without copying. Sorted by name. */
  public List<SideFile> describe(StopFlag stop) {
    List<SideFile> described = new ArrayList<>();
    for (String file : files) {
      try (ByteSource content = source.open(file)) {
        described.add(new SideFile(file, content.size(), Digests.source(content, stop)));
      }
    }
    return described;
  }

  /** Whether {@code folder} has good copies of all of them. */
  public boolean areIn(Path folder, StopFlag stop) {
    for (String file : files) {
      Path copy = folder.resolve(file);
      if (!Files.isRegularFile(copy)) {
        return false;
      }
      try (ByteSource content = source.open(file)) {
        if (!Digests.file(copy, stop).equals(Digests.source(content, stop))) {
          return false;
        }
      }
    }
    return true;
  }

  /** Bytes of all of them. */
  public long bytes() {
    long bytes = 0;
    for (String file : files) {
      bytes += source.find(file).map(StoredFile::size).orElse(0L);
    }
    return bytes;
  }

  private SideFile copy(String from, Path to) {
    Path parent = Objects.requireNonNull(to.getParent());
    try {
      Files.createDirectories(parent);
    } catch (IOException e) {
      throw FileFailure.of("create", parent, e);
    }
    MessageDigest digest = Digests.sha256();
    try (Arena arena = Arena.ofConfined();
        ByteSource in = source.open(from);
        DurableFile out = DurableFile.create(to)) {
      MemorySegment segment = arena.allocate(BUFFER);
      for (long at = 0; at < in.size(); at += BUFFER) {
        MemorySegment piece = segment.asSlice(0, Math.min(BUFFER, in.size() - at));
        in.read(at, piece.asByteBuffer());
        digest.update(piece.asByteBuffer());
        out.append(piece);
      }
      out.publish();
      if (Files.getFileStore(to).supportsFileAttributeView("posix")) {
        Files.setPosixFilePermissions(to, PosixFilePermissions.fromString("rw-r--r--"));
      }
      return new SideFile(from, in.size(), Digests.hex(digest));
    } catch (IOException e) {
      throw FileFailure.of("write", to, e);
    }
  }

  private static boolean isReserved(String file) {
    return ResultLayout.isReserved(Path.of(file));
  }
}
