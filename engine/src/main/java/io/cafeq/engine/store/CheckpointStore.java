package io.cafeq.engine.store;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The files of one checkpoint: a folder, a repository of a model hub, or whatever else holds named
 * bytes. Names are relative to the root, with {@code /} between folders; a name that could leave
 * the root is refused with a {@link StoreException} of kind CHECKPOINT. Thread-safe.
 *
 * <p>Failures are {@link StoreException}s: kind CHECKPOINT where a file is missing, damaged or was
 * changed, ENVIRONMENT where the disk or the network fails, STOPPED where the thread was
 * interrupted.
 */
public interface CheckpointStore extends AutoCloseable {
  /** Where the files are, as a person would write it: a path or an address without secrets. */
  String location();

  /** Where one file is, for messages. */
  String place(String name);

  /**
   * The entries directly inside a folder, sorted by name, hidden ones among them.
   *
   * @param folder a name, or empty for the root
   */
  List<StoredFile> list(String folder);

  /**
   * The entry of that name; empty where there is none. A link to nothing is a failure, since a
   * download that broke off leaves such links.
   */
  Optional<StoredFile> find(String name);

  /** Opens a file for reads by position; the caller closes it. */
  ByteSource open(String name);

  /** The folder on this machine, where the store is one. */
  Optional<Path> localFolder();

  /** Bytes outside the heap that the store takes at most while it is open. */
  long memory();

  /**
   * The whole of a small file.
   *
   * @param largest bytes; a larger file is a failure of kind CHECKPOINT before memory is taken
   */
  default byte[] read(String name, long largest) {
    try (ByteSource source = open(name)) {
      if (source.size() > largest) {
        throw StoreException.checkpoint(
            source.place(),
            "has " + source.size() + " bytes, at most " + largest + " are read",
            "Check where this file comes from: no known model has one of that size.");
      }
      byte[] content = new byte[Math.toIntExact(source.size())];
      source.read(0, ByteBuffer.wrap(content));
      return content;
    }
  }

  /** Makes all reads fail; open sources have to be closed as well. */
  @Override
  void close();
}
