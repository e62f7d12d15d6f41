package io.cafeq.engine.store;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/** A folder on this machine. Links to files are followed, wherever they lead. */
public final class FolderStore implements CheckpointStore {
  private static final String CHECK = "Check the disk and the folder's permissions.";

  private final Path root;

  private FolderStore(Path root) {
    this.root = root;
  }

  /**
   * Opens a folder. Throws with kind USAGE where there is none, ENVIRONMENT where it cannot be
   * looked at.
   */
  public static FolderStore open(Path folder) {
    try {
      return new FolderStore(folder.toRealPath());
    } catch (NoSuchFileException e) {
      throw new EngineException(
          FailureKind.USAGE,
          folder + ": no such file or folder",
          "Check the path of the folder.",
          e);
    } catch (IOException e) {
      throw cannotBeOpened(folder, e);
    }
  }

  /**
   * Opens a folder, or the folder of a file that is meant. Throws as {@link #open} does, and with
   * kind CHECKPOINT where the path is a link to nothing.
   *
   * @param otherwise the remedy where nothing has that path
   */
  public static Located locate(Path path, String otherwise) {
    refuseLinkToNothing(path);
    if (!Files.exists(path)) {
      throw new EngineException(FailureKind.USAGE, path + ": no such file or folder", otherwise);
    }
    if (Files.isDirectory(path)) {
      return new Located(open(path), Optional.empty());
    }
    // The folder of the name, not of what a link points to: that is where its neighbours are.
    Path absolute = path.toAbsolutePath().normalize();
    return new Located(
        open(Objects.requireNonNull(absolute.getParent())),
        Optional.of(Objects.requireNonNull(absolute.getFileName()).toString()));
  }

  @Override
  public String location() {
    return root.toString();
  }

  @Override
  public String place(String name) {
    return root.resolve(name).toString();
  }

  @Override
  public List<StoredFile> list(String folder) {
    Path path = folder.isEmpty() ? root : root.resolve(FileNames.require(folder, this));
    String prefix = folder.isEmpty() ? "" : folder + "/";
    try (Stream<Path> entries = Files.list(path)) {
      return entries.sorted().map(entry -> entry(prefix + entry.getFileName(), entry)).toList();
    } catch (NotDirectoryException e) {
      throw StoreException.checkpoint(
          path.toString(), "expected a folder, found something else", CHECK);
    } catch (IOException e) {
      throw StoreException.environment(path.toString(), "cannot be listed: " + e, CHECK, e);
    }
  }

  @Override
  public Optional<StoredFile> find(String name) {
    Path path = root.resolve(FileNames.require(name, this));
    refuseLinkToNothing(path);
    return Files.exists(path) ? Optional.of(entry(name, path)) : Optional.empty();
  }

  @Override
  public ByteSource open(String name) {
    Path path = root.resolve(FileNames.require(name, this));
    refuseLinkToNothing(path);
    return FileSource.open(path);
  }

  @Override
  public Optional<Path> localFolder() {
    return Optional.of(root);
  }

  @Override
  public long memory() {
    return 0;
  }

  /** Does nothing: a folder is not held open. */
  @Override
  public void close() {}

  private static StoredFile entry(String name, Path path) {
    try {
      if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        return new StoredFile(name, StoredFile.Kind.FOLDER, 0, "");
      }
      if (!Files.exists(path)) {
        return new StoredFile(name, StoredFile.Kind.OTHER, 0, "");
      }
      BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
      if (attributes.isDirectory()) {
        return new StoredFile(name, StoredFile.Kind.LINKED_FOLDER, 0, "");
      }
      return attributes.isRegularFile()
          ? new StoredFile(name, StoredFile.Kind.FILE, attributes.size(), fingerprint(attributes))
          : new StoredFile(name, StoredFile.Kind.OTHER, 0, "");
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    }
  }

  /** Size, time and inode: what a file system tells without reading the file. */
  static String fingerprint(BasicFileAttributes attributes) {
    return attributes.size() + " " + attributes.lastModifiedTime() + " " + attributes.fileKey();
  }

  static void refuseLinkToNothing(Path file) {
    if (Files.isSymbolicLink(file) && !Files.exists(file)) {
      String target;
      try {
        target = VisibleText.quoted(Files.readSymbolicLink(file).toString());
      } catch (IOException e) {
        target = "a place that cannot be read";
      }
      throw StoreException.checkpoint(
          file.toString(),
          "is a link to nothing: there is no " + target,
          "Download the file again, or copy it in place of the link.");
    }
  }

  private static EngineException cannotBeOpened(Path path, IOException cause) {
    return new EngineException(
        FailureKind.ENVIRONMENT, path + ": cannot be opened: " + cause, CHECK, cause);
  }
}
