package io.cafeq.engine.store;

/**
 * An entry of a store.
 *
 * @param name relative to the store's root, with {@code /} between folders
 * @param size bytes of a file; 0 for everything else
 * @param fingerprint changes when the file's content can have changed; equal fingerprints of one
 *     store mean equal content as far as the store can tell
 */
public record StoredFile(String name, Kind kind, long size, String fingerprint) {
  /** What an entry is. */
  public enum Kind {
    FILE,
    FOLDER,
    /** A link to a folder, which can lead anywhere. */
    LINKED_FOLDER,
    /** A link to nothing, a device, a socket. */
    OTHER
  }

  public boolean isFile() {
    return kind == Kind.FILE;
  }

  /** A folder, be it a link to one. */
  public boolean isFolder() {
    return kind == Kind.FOLDER || kind == Kind.LINKED_FOLDER;
  }

  /** The last part of the name. */
  public String fileName() {
    return name.substring(name.lastIndexOf('/') + 1);
  }
}
